/* SPDX-License-Identifier: MIT */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved_errno = errno;
        (void)close(*fd);
        errno = saved_errno;
        *fd = -1;
    }
}

static bool change_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    if (flags < 0) {
        return false;
    }
    int wanted = on ? flags | flag : flags & ~flag;
    return wanted == flags || fcntl(fd, set, wanted) == 0;
}

bool fd_set_nonblocking(int fd, bool on)
{
    return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

bool fd_set_cloexec(int fd, bool on)
{
    return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

bool file_write_all(int fd, const void *data, size_t len)
{
    const char *next = data;
    while (len > 0) {
        ssize_t n = write(fd, next, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        next += n;
        len -= (size_t)n;
    }
    return true;
}

bool file_pwrite_all(int fd, const void *data, size_t len, int64_t offset)
{
    const char *next = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, next, len, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        next += n;
        offset += n;
        len -= (size_t)n;
    }
    return true;
}

ssize_t file_pread_all(int fd, void *data, size_t len, int64_t offset)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(fd, (char *)data + got, len - got, offset + (int64_t)got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static enum outcome read_open_file(int fd, const char *path, size_t max,
                                   struct str *out, struct err *err)
{
    enum { STEP = 64 * 1024 };
    size_t total = 0;
    for (;;) {
        char *room = str_reserve(out, STEP);
        ssize_t n = room != NULL ? read(fd, room, STEP) : 0;
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_temp(err, "4.3.0", "read %s: %m", path);
        }
        total += (size_t)n;
        if (room == NULL || total > max) {
            return err_perm(err, "5.3.0", "%s: file is larger than %zu bytes", path,
                            max);
        }
        if (n == 0) {
            return OK;
        }
        str_commit(out, (size_t)n);
    }
}

enum outcome file_read(const char *path, size_t max, struct str *out, struct err *err)
{
    struct stat st;
    /* O_NONBLOCK: whoever puts a FIFO there must not stop us. */
    FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_temp(err, "4.3.0", "open %s: %m", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_perm(err, "5.3.0", "%s: not a regular file", path);
    }
    return read_open_file(fd, path, max, out, err);
}

/* The file as it will be, under another name.  Nobody else may open it before its owner
 * and mode are right. */
static bool write_new_file(const char *path, struct view data, mode_t mode,
                           const struct stat *old)
{
    FD_AUTO int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    if (old != NULL && geteuid() == 0 && fchown(fd, old->st_uid, old->st_gid) != 0) {
        return false;
    }
    return fchmod(fd, old != NULL ? old->st_mode & 07777 : mode) == 0 &&
           file_write_all(fd, data.ptr, data.len) && fsync(fd) == 0;
}

enum outcome file_replace(const char *path, struct view data, mode_t mode,
                          struct err *err)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;
    STR_AUTO struct str temporary = {0};
    str_printf(&temporary, "%s.tmp%ld", path, (long)getpid());
    (void)unlink(str_ptr(&temporary)); /* left by a process of the same number */
    if (!write_new_file(str_ptr(&temporary), data, mode, exists ? &st : NULL)) {
        (void)err_temp(err, "4.3.0", "write %s: %m", str_ptr(&temporary));
        (void)unlink(str_ptr(&temporary));
        return TEMPFAIL;
    }
    if (rename(str_ptr(&temporary), path) != 0) {
        (void)err_temp(err, "4.3.0", "rename %s to %s: %m", str_ptr(&temporary), path);
        (void)unlink(str_ptr(&temporary));
        return TEMPFAIL;
    }
    return OK;
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What is there already may be reported by other errors than EEXIST (read-only
 * parents); something that is no directory is not good enough. */
static bool make_dir(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0) {
        return true;
    }
    int saved_errno = errno;
    bool there = is_directory(path);
    errno = saved_errno == EEXIST ? ENOTDIR : saved_errno;
    return there;
}

bool file_make_dirs(const char *path, mode_t mode)
{
    STR_AUTO struct str prefix = {0};
    if (is_directory(path)) {
        return true;
    }
    for (const char *p = path; *p != '\0'; p++) {
        str_add_byte(&prefix, *p);
        bool component_ends = *p != '/' && (p[1] == '/' || p[1] == '\0');
        if (component_ends && !make_dir(str_ptr(&prefix), mode)) {
            return false;
        }
    }
    return true;
}

bool file_lock(int fd, bool wait)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (fcntl(fd, wait ? F_SETLKW : F_SETLK, &lock) != 0) {
        if (errno == EACCES) {
            errno = EAGAIN;
        }
        if (errno != EINTR) {
            return false;
        }
    }
    return true;
}
