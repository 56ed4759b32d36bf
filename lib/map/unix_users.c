/* SPDX-License-Identifier: MIT */
/*
 * unix:passwd.byname and unix:group.byname: the system's accounts.  The answer is the
 * line of passwd(5) or group(5).  A name service may take its time, so workers that
 * serve many clients ask through proxy:.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/map_private.h"

enum { FIRST_BUFFER = 4 * 1024, MAX_BUFFER = 4 * 1024 * 1024 };

struct unix_map {
    struct map map;
    /* 0 and *FOUND, or an errno; ERANGE: wants a larger buffer. */
    int (*look_up)(const char *name, char *buffer, size_t size, struct str *out,
                   bool *found);
};

static int look_up_user(const char *name, char *buffer, size_t size, struct str *out,
                        bool *found)
{
    struct passwd entry, *hit = NULL;
    int code = getpwnam_r(name, &entry, buffer, size, &hit);
    *found = hit != NULL;
    if (hit != NULL) {
        str_printf(out, "%s:%s:%lu:%lu:%s:%s:%s", hit->pw_name, hit->pw_passwd,
                   (unsigned long)hit->pw_uid, (unsigned long)hit->pw_gid,
                   hit->pw_gecos, hit->pw_dir, hit->pw_shell);
    }
    return code;
}

static int look_up_group(const char *name, char *buffer, size_t size, struct str *out,
                         bool *found)
{
    struct group entry, *hit = NULL;
    int code = getgrnam_r(name, &entry, buffer, size, &hit);
    *found = hit != NULL;
    if (hit != NULL) {
        str_printf(out, "%s:%s:%lu:", hit->gr_name, hit->gr_passwd,
                   (unsigned long)hit->gr_gid);
        for (size_t i = 0; hit->gr_mem[i] != NULL; i++) {
            str_printf(out, "%s%s", i > 0 ? "," : "", hit->gr_mem[i]);
        }
    }
    return code;
}

/* Several name services say "no such name" with an error (getpwnam(3)). */
static bool means_missing(int code)
{
    return code == 0 || code == ENOENT || code == ESRCH || code == EBADF ||
           code == EPERM;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    if (key.len == 0 || memchr(key.ptr, '\0', key.len) != NULL) {
        return MAP_MISSING;
    }
    const struct unix_map *self = (const struct unix_map *)map;
    char *name = xviewdup(key);
    bool found = false;
    int code = ERANGE;
    for (size_t size = FIRST_BUFFER; code == ERANGE && size <= MAX_BUFFER; size *= 4) {
        char *buffer = xmalloc(size);
        code = self->look_up(name, buffer, size, value_out, &found);
        free(buffer);
    }
    free(name);
    if (found) {
        return MAP_FOUND;
    }
    if (means_missing(code)) {
        return MAP_MISSING;
    }
    (void)err_temp(err, "4.3.0", "%s", strerror(code));
    return MAP_ERROR;
}

static void close_map(struct map *map)
{
    free(map);
}

static struct map *open_map(const struct map_spec *spec, struct err *err)
{
    bool passwd = strcmp(spec->name, "passwd.byname") == 0;
    if (!passwd && strcmp(spec->name, "group.byname") != 0) {
        (void)err_perm(err, "4.3.0", "unknown table: %s", spec->title);
        return NULL;
    }
    struct unix_map *map = xcalloc(1, sizeof(*map));
    map->look_up = passwd ? look_up_user : look_up_group;
    return &map->map;
}

const struct map_type map_type_unix = {.name = "unix",
                                       .properties = MAP_TYPE_FOLDS | MAP_TYPE_BLOCKS,
                                       .open = open_map,
                                       .close = close_map,
                                       .find = find};
