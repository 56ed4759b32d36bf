/* SPDX-License-Identifier: MIT */
/*
 * Maildir delivery in two steps: files are written one after the other, and then all
 * synced and made visible together, because a file system makes one commit for many.
 */
#ifndef MAILBOX_MAILDIR_H
#define MAILBOX_MAILDIR_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "mailbox/letter.h"
#include "mailbox/rights.h"

struct maildir_file;

/* One in a process. */
struct maildirs {
    struct rights *rights;
    char *host;                 /* of this machine, for file names */
    int proc_fd;                /* unnamed_open_proc() */
    struct maildir_file *files; /* written, and not finished */
    size_t count;
};

void maildirs_init(struct maildirs *maildirs, struct rights *rights);
void maildirs_done(struct maildirs *maildirs);

struct maildir {
    const char *path; /* ends in a slash */
    struct identity user;
    unsigned delivered; /* LETTER_DELIVERED or 0 */
    int64_t size_limit; /* of a file; 0: none */
    /* What has become of it: OK, or ERR filled.  Called once, at once or by
     * maildirs_finish(), with rights that may not be settled. */
    void (*done)(void *context, enum outcome outcome, const struct err *err);
    void *context;
};
/* Write LETTER to MAILDIR.  What they point to, and ARENA, must last until
 * maildirs_finish(). */
void maildirs_write(struct maildirs *maildirs, const struct letter *letter,
                    const struct maildir *maildir, struct arena *arena);
/* Sync what has been written and make it visible. */
void maildirs_finish(struct maildirs *maildirs);

#endif
