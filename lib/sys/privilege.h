/* SPDX-License-Identifier: MIT */
/*
 * Giving rights up.  Root may become an ordinary user for good, or only for the
 * time being (effective ids), or confine itself to a directory.
 */
#ifndef SYS_PRIVILEGE_H
#define SYS_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum { PRIVILEGE_GROUPS_MAX = 64 };

struct privilege_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[PRIVILEGE_GROUPS_MAX]; /* supplementary; none unless asked for */
    int group_count;
};

/* The account NAME.  PERMFAIL: no such user; TEMPFAIL: the user database failed. */
NODISCARD enum outcome privilege_find_user(const char *name, struct privilege_user *out,
                                           struct err *err);
/* Fill in the supplementary groups of NAME, which USER is. */
NODISCARD enum outcome
privilege_find_groups(const char *name, struct privilege_user *user, struct err *err);
NODISCARD enum outcome privilege_find_group(const char *name, gid_t *out,
                                            struct err *err);
/* Become USER for good, with no other supplementary groups; verified. */
NODISCARD enum outcome privilege_drop(const struct privilege_user *user,
                                      struct err *err);
/* Effective ids (and groups) only: the real user ID stays root, which may take them
 * back. */
NODISCARD enum outcome privilege_lower(const struct privilege_user *user,
                                       struct err *err);
/* After privilege_lower: effective ids are root's again.  False with errno. */
NODISCARD bool privilege_raise(void);
/* Confine the process to DIRECTORY, which becomes / and the working directory. */
NODISCARD enum outcome privilege_chroot(const char *directory, struct err *err);

#endif
