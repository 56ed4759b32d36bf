/* SPDX-License-Identifier: MIT */
/*
 * Acting as somebody else.  With root's help effective ids are switched for one
 * delivery and back; without it (an instance run by an ordinary user) only that
 * user's own deliveries are possible.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "local/local.h"

enum { NOBODYS_GROUP = 65534 };

static bool set_groups(struct local *local, const struct identity *identity)
{
    return identity->name != NULL
               ? account_set_groups(local->accounts, identity->name, identity->gid)
               : setgroups(1, &identity->gid) == 0;
}

static bool same_rights(const struct identity *a, const struct identity *b)
{
    bool same_groups = a->name == NULL || b->name == NULL
                           ? a->name == b->name
                           : strcmp(a->name, b->name) == 0;
    return a->uid == b->uid && a->gid == b->gid && same_groups;
}

bool identity_assume(struct local *local, const struct identity *identity)
{
    if (!local->service->privileged) {
        errno = EPERM;
        return identity->uid == geteuid();
    }
    if (local->unsettled && same_rights(&local->assumed, identity)) {
        return true;
    }
    if (seteuid(0) != 0) {
        return false;
    }
    if (set_groups(local, identity) && setegid(identity->gid) == 0 &&
        seteuid(identity->uid) == 0) {
        local->assumed = *identity;
        local->unsettled = true;
        return true;
    }
    int saved_errno = errno;
    identity_restore(local);
    errno = saved_errno;
    return false;
}

void identity_restore(struct local *local)
{
    const struct identity *own = &local->own;
    if (!local->service->privileged) {
        return;
    }
    int saved_errno = errno;
    /* Going on with the wrong rights is worse than ending. */
    if (seteuid(0) != 0 || setgroups(1, &own->gid) != 0 || setegid(own->gid) != 0 ||
        seteuid(own->uid) != 0) {
        log_fatal("cannot return to the rights of uid %ld: %m", (long)own->uid);
    }
    local->unsettled = false;
    errno = saved_errno;
}

void identity_settle(struct local *local)
{
    if (local->unsettled) {
        identity_restore(local);
    }
}

bool identity_become(struct local *local, const struct identity *identity)
{
    if (getuid() != 0) {
        return identity->uid == getuid();
    }
    return seteuid(0) == 0 && set_groups(local, identity) &&
           setgid(identity->gid) == 0 && setuid(identity->uid) == 0 &&
           (identity->uid == 0 || setuid(0) != 0);
}

void identity_kill(struct local *local, pid_t pid, int signal_number)
{
    bool raised = local->service->privileged && seteuid(0) == 0;
    (void)kill(pid, signal_number); /* gone already: all the better */
    if (raised) {
        identity_restore(local);
    }
}

static bool use_default_privs(const struct local *local, struct identity *out)
{
    const char *name = conf_str(local->conf, P_default_privs);
    const struct passwd *user = getpwnam(name);
    if (user == NULL || user->pw_uid == 0) {
        log_warning("default_privs: unknown or privileged user: %s", name);
        return false;
    }
    *out = (struct identity){.uid = user->pw_uid, .gid = user->pw_gid};
    return true;
}

/* An owner without an account belongs to no group. */
static struct identity of_uid(uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    return (struct identity){.uid = uid,
                             .gid = user != NULL ? user->pw_gid : NOBODYS_GROUP};
}

bool identity_drop_root(const struct local *local, struct identity *identity)
{
    return !local->service->privileged || identity->uid != 0 ||
           use_default_privs(local, identity);
}

bool identity_of_list_owner(const struct local *local, uid_t owner,
                            struct identity *out)
{
    *out = local->service->privileged ? of_uid(owner) : local->own;
    return identity_drop_root(local, out);
}

struct identity identity_of_reader(const struct local *local, uid_t owner)
{
    if (!local->service->privileged) {
        return local->own;
    }
    return owner == 0 ? (struct identity){0} : of_uid(owner);
}
