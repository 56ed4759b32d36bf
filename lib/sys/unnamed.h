/* SPDX-License-Identifier: MIT */
/*
 * Files without a name: nobody sees them, and they end with their descriptor, unless
 * they are given a name when they are complete.  That is one change of a directory
 * instead of three (name, other name, removal of the first), and a crash leaves nothing
 * behind.  Not all file systems have them (open(2), O_TMPFILE).
 */
#ifndef SYS_UNNAMED_H
#define SYS_UNNAMED_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"

/* What naming needs: opened where /proc can be seen, good after chroot(2) and for other
 * effective users.  -1: there are no unnamed files. */
int unnamed_open_proc(void);
/* A new file on the file system of DIRECTORY, open for reading and writing.  -1 with
 * errno. */
int unnamed_create(int proc_fd, const char *directory, mode_t mode);
/* PATH, which must not exist, becomes the file's name.  False with errno. */
NODISCARD bool unnamed_link(int proc_fd, int fd, const char *path);

#endif
