/* SPDX-License-Identifier: MIT */
#include "sys/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

enum outcome privilege_find_user(const char *name, struct privilege_user *out,
                                 struct err *err)
{
    errno = 0;
    const struct passwd *user = getpwnam(name);
    if (user != NULL) {
        *out = (struct privilege_user){.uid = user->pw_uid, .gid = user->pw_gid};
        return OK;
    }
    /* The C library reports "no such user" in several ways; see getpwnam(3). */
    if (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        return err_temp(err, "4.3.0", "look up user %s: %m", name);
    }
    return err_perm(err, "5.3.5", "unknown user name value: %s", name);
}

enum outcome privilege_find_groups(const char *name, struct privilege_user *user,
                                   struct err *err)
{
    user->group_count = PRIVILEGE_GROUPS_MAX;
    if (getgrouplist(name, user->gid, user->groups, &user->group_count) < 0) {
        user->group_count = 0;
        return err_perm(err, "5.3.5", "user %s is in too many groups", name);
    }
    return OK;
}

/* The group itself, if no others were asked for. */
static bool set_groups(const struct privilege_user *user)
{
    return user->group_count > 0
               ? setgroups((size_t)user->group_count, user->groups) == 0
               : setgroups(1, &user->gid) == 0;
}

enum outcome privilege_find_group(const char *name, gid_t *out, struct err *err)
{
    errno = 0;
    const struct group *group = getgrnam(name);
    if (group != NULL) {
        *out = group->gr_gid;
        return OK;
    }
    if (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        return err_temp(err, "4.3.0", "look up group %s: %m", name);
    }
    return err_perm(err, "5.3.5", "unknown group name value: %s", name);
}

enum outcome privilege_drop(const struct privilege_user *user, struct err *err)
{
    CHECK(user->uid != 0);
    if (geteuid() != 0 && seteuid(0) != 0) {
        return err_perm(err, "5.3.5", "seteuid(0): %m");
    }
    if (!set_groups(user) || setgid(user->gid) != 0 || setuid(user->uid) != 0) {
        return err_perm(err, "5.3.5", "become user %ld group %ld: %m", (long)user->uid,
                        (long)user->gid);
    }
    /* Rights that can come back were never given up. */
    CHECK(setuid(0) != 0 && seteuid(0) != 0);
    return OK;
}

enum outcome privilege_lower(const struct privilege_user *user, struct err *err)
{
    CHECK(user->uid != 0);
    if (!set_groups(user) || setegid(user->gid) != 0 || seteuid(user->uid) != 0) {
        return err_perm(err, "5.3.5", "act as user %ld group %ld: %m", (long)user->uid,
                        (long)user->gid);
    }
    CHECK(geteuid() == user->uid && getegid() == user->gid);
    return OK;
}

bool privilege_raise(void)
{
    return seteuid(0) == 0 && setegid(0) == 0;
}

enum outcome privilege_chroot(const char *directory, struct err *err)
{
    if (chroot(directory) != 0) {
        return err_perm(err, "5.3.5", "chroot(%s): %m", directory);
    }
    if (chdir("/") != 0) {
        return err_perm(err, "5.3.5", "chdir(/): %m");
    }
    return OK;
}
