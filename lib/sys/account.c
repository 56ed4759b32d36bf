/* SPDX-License-Identifier: MIT */
#include "sys/account.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "sys/clock.h"

enum { REMEMBERED = 1 * CLOCK_SECOND, ENTRIES_MOST = 1000, GROUPS_USUAL = 32 };

struct entry {
    struct passwd account;
    bool exists;      /* else the entry is for groups only */
    gid_t groups_gid; /* for which GROUPS were found */
    gid_t *groups;    /* NULL: not asked for yet */
    int group_count;
};

struct account_cache {
    struct htab *entries; /* by name; NULL: none */
    int64_t since;
};

static void free_entry(void *value)
{
    struct entry *entry = value;
    free(entry->account.pw_name);
    free(entry->account.pw_dir);
    free(entry->account.pw_shell);
    free(entry->groups);
    free(entry);
}

struct account_cache *account_cache_new(void)
{
    return xcalloc(1, sizeof(struct account_cache));
}

void account_cache_free(struct account_cache **cache)
{
    if (*cache != NULL) {
        htab_free(&(*cache)->entries, free_entry);
        free(*cache);
        *cache = NULL;
    }
}

static struct entry *find_entry(struct account_cache *cache, const char *name)
{
    if (cache->entries != NULL && (clock_now() - cache->since > REMEMBERED ||
                                   htab_count(cache->entries) >= ENTRIES_MOST)) {
        htab_free(&cache->entries, free_entry);
    }
    if (cache->entries == NULL) {
        cache->entries = htab_new();
        cache->since = clock_now();
    }
    return htab_get(cache->entries, view_cstr(name));
}

static struct entry *add_entry(struct account_cache *cache, const char *name)
{
    struct entry *entry = xcalloc(1, sizeof(*entry));
    (void)htab_put(cache->entries, view_cstr(name), entry);
    return entry;
}

const struct passwd *account_by_name(struct account_cache *cache, const char *name,
                                     int *error_out)
{
    struct entry *entry = find_entry(cache, name);
    *error_out = 0;
    if (entry != NULL && entry->exists) {
        return &entry->account;
    }
    errno = 0;
    const struct passwd *user = getpwnam(name);
    if (user == NULL) {
        /* Some name services say "no such name" with an error (getpwnam(3)). */
        *error_out = errno == ENOENT || errno == ESRCH ? 0 : errno;
        return NULL;
    }
    entry = entry != NULL ? entry : add_entry(cache, name);
    entry->exists = true;
    entry->account = (struct passwd){.pw_name = xstrdup(user->pw_name),
                                     .pw_dir = xstrdup(user->pw_dir),
                                     .pw_shell = xstrdup(user->pw_shell),
                                     .pw_uid = user->pw_uid,
                                     .pw_gid = user->pw_gid};
    return &entry->account;
}

/* False: too many, or no memory. */
static bool find_groups(struct entry *entry, const char *name, gid_t gid)
{
    int count = GROUPS_USUAL;
    gid_t *groups = xreallocarray(NULL, (size_t)count, sizeof(*groups));
    if (getgrouplist(name, gid, groups, &count) < 0) {
        groups = xreallocarray(groups, (size_t)count, sizeof(*groups));
        if (getgrouplist(name, gid, groups, &count) < 0) {
            free(groups);
            errno = ENOMEM;
            return false;
        }
    }
    free(entry->groups);
    entry->groups = groups;
    entry->group_count = count;
    entry->groups_gid = gid;
    return true;
}

bool account_set_groups(struct account_cache *cache, const char *name, gid_t gid)
{
    struct entry *entry = find_entry(cache, name);
    entry = entry != NULL ? entry : add_entry(cache, name);
    if ((entry->groups == NULL || entry->groups_gid != gid) &&
        !find_groups(entry, name, gid)) {
        return false;
    }
    if (setgroups((size_t)entry->group_count, entry->groups) == 0) {
        return true;
    }
    /* initgroups(3) goes on with as many as the kernel takes. */
    long most = sysconf(_SC_NGROUPS_MAX);
    return errno == EINVAL && entry->group_count > most && most > 0 &&
           setgroups((size_t)most, entry->groups) == 0;
}
