/* SPDX-License-Identifier: MIT */
/* What mailboxes, Maildirs and files have in common. */
#ifndef MAILBOX_FILE_H
#define MAILBOX_FILE_H

#include "base/err.h"
#include "mailbox/letter.h"

/* An errno: temporary or permanent, and which code. */
enum outcome mailbox_error(int error, const char **dsn_out);
/* Is SIZE within LIMIT (0: none)?  If not, errno is EFBIG. */
bool mailbox_fits(int64_t limit, int64_t size);
/* Where PATH, which is absolute, is. */
void mailbox_directory(const char *path, struct str *out);
/* The directory of PATH, a file on DEVICE, to disk, unless it is on the queue's file
 * system, whose journal keeps the order: the queue file's removal must not get there
 * before.  False with errno. */
bool mailbox_sync_directory(const struct letter *letter, const char *path,
                            dev_t device);

#endif
