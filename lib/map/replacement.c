/* SPDX-License-Identifier: MIT */
#include "map/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/file.h"

enum { COPY_STEP = 64 * 1024 };

/* --- the present file -------------------------------------------------------- */

static bool is_still_there(const struct replacement *self)
{
    struct stat now;
    return stat(self->path, &now) == 0 && now.st_dev == self->old.st_dev &&
           now.st_ino == self->old.st_ino;
}

/* Have the present file locked, if there is one.  While we wait for the lock another
 * writer may put a new file in its place. */
static int lock_old(struct replacement *self)
{
    for (;;) {
        self->old_fd = open(self->path, O_RDWR | O_CLOEXEC);
        if (self->old_fd < 0) {
            return errno == ENOENT ? 0 : errno;
        }
        /* A signal may end the wait. */
        if (flock(self->old_fd, LOCK_EX) != 0 || fstat(self->old_fd, &self->old) != 0) {
            return errno;
        }
        if (is_still_there(self)) {
            return 0;
        }
        fd_close(&self->old_fd);
    }
}

static bool copy_bytes(int from, int to, int64_t size)
{
    char *buffer = xmalloc(COPY_STEP);
    int64_t offset = 0;
    bool ok = true;
    while (ok && offset < size) {
        ssize_t got = file_pread_all(from, buffer, COPY_STEP, offset);
        ok = got > 0 && file_pwrite_all(to, buffer, (size_t)got, offset);
        offset += got;
    }
    free(buffer);
    return ok;
}

/* --- the new file ------------------------------------------------------------ */

/* Beside the old file, or, when that directory is closed to us, where temporary files
 * go. */
static int create_temporary(struct replacement *self)
{
    /* A link that the administrator made stays: its target is what is replaced. */
    char *real = self->old_fd >= 0 ? realpath(self->path, NULL) : NULL;
    self->target = real != NULL ? real : xstrdup(self->path);
    self->temporary = xasprintf("%s.XXXXXX", self->target);
    int fd = mkostemp(self->temporary, O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EPERM) && self->old_fd >= 0) {
        self->in_place = true;
        const char *directory = getenv("TMPDIR");
        free(self->temporary);
        self->temporary =
            xasprintf("%s/postmap.XXXXXX", directory != NULL ? directory : "/tmp");
        fd = mkostemp(self->temporary, O_CLOEXEC);
    }
    if (fd < 0) {
        free(self->temporary);
        self->temporary = NULL;
    }
    return fd;
}

/* Mode and owner of the file that is replaced, else MODE as it stands. */
static bool set_rights(const struct replacement *self, int fd, mode_t mode)
{
    if (self->in_place) {
        return true;
    }
    if (self->old_fd < 0) {
        return fchmod(fd, mode) == 0;
    }
    bool same_owner = self->old.st_uid == geteuid() && self->old.st_gid == getegid();
    /* Without root the owner changes to the caller, as with any file that is replaced.
     */
    if (!same_owner && fchown(fd, self->old.st_uid, self->old.st_gid) != 0 &&
        geteuid() == 0) {
        return false;
    }
    return fchmod(fd, self->old.st_mode & 0777) == 0;
}

int replacement_begin(struct replacement *self, char *path,
                      const struct replacement_options *options)
{
    *self = (struct replacement){.path = path, .old_fd = -1};
    int code = lock_old(self);
    if (code != 0) {
        return code;
    }
    if (self->old_fd < 0 && options->must_exist) {
        return ENOENT;
    }
    FD_AUTO int fd = create_temporary(self);
    if (fd < 0 || !set_rights(self, fd, options->mode)) {
        return errno;
    }
    errno = 0;
    if (options->keep_content && self->old_fd >= 0 &&
        !copy_bytes(self->old_fd, fd, self->old.st_size)) {
        return errno != 0 ? errno : EIO;
    }
    return 0;
}

/* --- the end ----------------------------------------------------------------- */

static bool sync_directory(const char *path)
{
    char *directory = xstrdup(path);
    char *slash = strrchr(directory, '/');
    if (slash != NULL) {
        slash[slash == directory] = '\0';
    }
    FD_AUTO int fd =
        open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (fd < 0) {
        return errno == EACCES; /* it may be written, but not read */
    }
    return fsync(fd) == 0;
}

/* Overwrite the old file.  A crash in the middle leaves a table that cannot be read. */
static bool copy_over_old(const struct replacement *self, int fd)
{
    struct stat now;
    return fstat(fd, &now) == 0 && ftruncate(self->old_fd, 0) == 0 &&
           copy_bytes(fd, self->old_fd, now.st_size) && fsync(self->old_fd) == 0;
}

int replacement_commit(struct replacement *self)
{
    CHECK(self->temporary != NULL);
    FD_AUTO int fd = open(self->temporary, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    if (self->in_place) {
        return copy_over_old(self, fd) ? 0 : errno;
    }
    if (fsync(fd) != 0 || rename(self->temporary, self->target) != 0) {
        return errno;
    }
    free(self->temporary); /* it has another name now */
    self->temporary = NULL;
    return sync_directory(self->target) ? 0 : errno;
}

void replacement_abort(struct replacement *self)
{
    if (self->temporary != NULL) {
        (void)unlink(self->temporary);
        free(self->temporary);
    }
    if (self->old_fd >= 0) {
        /* A child that has inherited the descriptor must not keep the lock. */
        (void)flock(self->old_fd, LOCK_UN);
    }
    fd_close(&self->old_fd);
    free(self->target);
    free(self->path);
    *self = (struct replacement){.old_fd = -1};
}
