/* SPDX-License-Identifier: MIT */
/*
 * Acting as somebody else.  With root's help effective ids are switched for one
 * delivery and back; without it (an instance run by an ordinary user) only that
 * user's own deliveries are possible.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "local/local.h"

static bool set_groups(const struct identity *identity)
{
    return identity->name != NULL ? initgroups(identity->name, identity->gid) == 0
                                  : setgroups(1, &identity->gid) == 0;
}

bool identity_assume(const struct local *local, const struct identity *identity)
{
    if (!local->service->privileged) {
        errno = EPERM;
        return identity->uid == geteuid();
    }
    if (seteuid(0) != 0) {
        return false;
    }
    if (set_groups(identity) && setegid(identity->gid) == 0 &&
        seteuid(identity->uid) == 0) {
        return true;
    }
    int saved_errno = errno;
    identity_restore(local);
    errno = saved_errno;
    return false;
}

void identity_restore(const struct local *local)
{
    if (!local->service->privileged) {
        return;
    }
    int saved_errno = errno;
    const char *owner = conf_str(local->conf, P_mail_owner);
    const struct passwd *user = getpwnam(owner);
    /* Going on with the wrong rights is worse than ending. */
    if (user == NULL || seteuid(0) != 0 || setgroups(1, &user->pw_gid) != 0 ||
        setegid(user->pw_gid) != 0 || seteuid(user->pw_uid) != 0) {
        log_fatal("cannot return to the rights of %s: %m", owner);
    }
    errno = saved_errno;
}

bool identity_become(const struct identity *identity)
{
    if (getuid() != 0) {
        return identity->uid == getuid();
    }
    return seteuid(0) == 0 && set_groups(identity) && setgid(identity->gid) == 0 &&
           setuid(identity->uid) == 0 && (identity->uid == 0 || setuid(0) != 0);
}

static bool use_default_privs(const struct local *local, struct identity *out)
{
    const char *name = conf_str(local->conf, P_default_privs);
    const struct passwd *user = getpwnam(name);
    if (!local->service->privileged) {
        *out = (struct identity){.uid = getuid(), .gid = getgid()};
        return true;
    }
    if (user == NULL || user->pw_uid == 0) {
        log_warning("default_privs: unknown or privileged user: %s", name);
        return false;
    }
    *out = (struct identity){.uid = user->pw_uid, .gid = user->pw_gid};
    return true;
}

/* FILE may be a table name; its owner is the owner of the text file or of the index. */
bool identity_of_file_owner(const struct local *local, const char *file,
                            struct identity *out)
{
    struct stat st;
    const char *colon = strchr(file, ':');
    const char *path = file[0] == '/' || colon == NULL ? file : colon + 1;
    if (path[0] != '/' || stat(path, &st) != 0 || st.st_uid == 0 ||
        !local->service->privileged) {
        return use_default_privs(local, out);
    }
    const struct passwd *user = getpwuid(st.st_uid);
    *out = (struct identity){.uid = st.st_uid,
                             .gid = user != NULL ? user->pw_gid : st.st_gid};
    return true;
}
