/* SPDX-License-Identifier: MIT */
/* Descriptors and files: small calls that the whole suite uses. */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* `FD_AUTO int fd = -1;` is closed at the end of its block. */
#define FD_AUTO __attribute__((cleanup(fd_close)))
/* Close *FD unless it is -1, and set it to -1; errno is kept. */
void fd_close(int *fd);

bool fd_set_nonblocking(int fd, bool on);
bool fd_set_cloexec(int fd, bool on);
/* Read or write all LEN bytes (blocking; restarts after EINTR).  file_pread
 * returns the count read, short only at end of file, or -1. */
bool file_write_all(int fd, const void *data, size_t len);
bool file_pwrite_all(int fd, const void *data, size_t len, int64_t offset);
ssize_t file_pread_all(int fd, void *data, size_t len, int64_t offset);

/* Whole content of a regular file of at most MAX bytes, appended to OUT. */
NODISCARD enum outcome file_read(const char *path, size_t max, struct str *out,
                                 struct err *err);
/* Replace PATH by DATA atomically: temporary file beside it, fsync, rename.
 * Keeps mode and (as root) owner of a file that was there; a new one gets MODE,
 * whatever the umask. */
NODISCARD enum outcome file_replace(const char *path, struct view data, mode_t mode,
                                    struct err *err);
/* Make PATH and its missing parents with MODE; true as well if it was a directory. */
bool file_make_dirs(const char *path, mode_t mode);
/* Exclusive advisory lock (fcntl); false with errno EAGAIN when WAIT is false
 * and another process holds it. */
bool file_lock(int fd, bool wait);

#endif
