/* SPDX-License-Identifier: MIT */
/* Appending to files in mbox format. */
#ifndef MAILBOX_MBOX_H
#define MAILBOX_MBOX_H

#include <stdint.h>

#include "base/err.h"
#include "mailbox/letter.h"
#include "mailbox/rights.h"

struct mbox_locks {
    bool fcntl, flock, dot;
};
/* The words of LIST ("fcntl, dotlock"), the value of PARAMETER; fatal when one is not
 * known. */
struct mbox_locks mbox_locks_read(const char *parameter, const char *list);

struct mbox {
    const char *path;
    const struct identity *user;    /* who writes */
    const struct identity *spooler; /* who locks and creates */
    struct mbox_locks locks;
    int64_t size_limit; /* 0: none */
    unsigned delivered; /* LETTER_DELIVERED or 0 */
    bool is_mailbox;    /* not just any file: locked in any case, and the user's own
                           (strict_mailbox_ownership) */
    bool regular;       /* nothing but a regular file: others are PERMFAIL, 5.3.5 */
};
/* Everything as the user or spooler, whose rights are given back.  ERR: the reason
 * alone.  Sleeps while the file is locked by others. */
NODISCARD enum outcome mbox_append(struct rights *rights, const struct conf *conf,
                                   const struct letter *letter, const struct mbox *mbox,
                                   struct err *err);

#endif
