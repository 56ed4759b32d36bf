/* SPDX-License-Identifier: MIT */
/*
 * Lock files that hold a process ID: the lock, not the file, says that the owner
 * is alive, so a file left behind by a crash means nothing.
 */
#ifndef SYS_LOCK_H
#define SYS_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* Open PATH (created with MODE) and lock it without waiting.  The descriptor is the
 * lock: it closes on exec.  -1 with ERR; err->code is EAGAIN when another process holds
 * it. */
int lock_file_open(const char *path, mode_t mode, struct err *err);
/* Make the caller's process ID the content of the file behind FD.  Process-bound like
 * fcntl locks: after fork the child must lock again (lock_file_retake). */
NODISCARD bool lock_file_write_pid(int fd);
/* Take the lock of an open lock file again, in a forked child.  False: somebody has it.
 */
NODISCARD bool lock_file_retake(int fd);
/* Who holds the lock on PATH: its process ID, 0 when nobody does or there is no such
 * file, -1 with errno when that cannot be found out. */
pid_t lock_file_holder(const char *path);

#endif
