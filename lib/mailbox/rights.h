/* SPDX-License-Identifier: MIT */
/*
 * Acting as somebody else.  With root's help effective ids are switched for one
 * delivery and back; without it (an instance run by an ordinary user) only that user's
 * own deliveries are possible.
 */
#ifndef MAILBOX_RIGHTS_H
#define MAILBOX_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"
#include "sys/account.h"

/* Whose rights a mailbox, file or command delivery uses. */
struct identity {
    uid_t uid;
    gid_t gid;
    const char *name; /* for initgroups; NULL: only GID */
};

/* One of them in a process. */
struct rights {
    bool privileged; /* root's rights can be had back */
    struct account_cache *accounts;
    struct identity own;     /* the rights between deliveries */
    struct identity assumed; /* whose rights the process has until rights_settle() */
    bool unsettled;
};

/* When the process has the rights that it has between deliveries. */
void rights_init(struct rights *rights, bool privileged);
void rights_done(struct rights *rights);

/* Switch effective rights and back; false with errno: not possible (no root). */
NODISCARD bool rights_assume(struct rights *rights, const struct identity *identity);
void rights_restore(struct rights *rights);
/* The end of rights that were not given back at once, because the next thing to do is
 * likely to want the same ones (mailbox after .forward). */
void rights_settle(struct rights *rights);
/* For good, in a child before exec. */
NODISCARD bool rights_become(struct rights *rights, const struct identity *identity);
/* Send a signal to a process (group, when negative) of another user. */
void rights_kill(struct rights *rights, pid_t pid, int signal_number);

#endif
