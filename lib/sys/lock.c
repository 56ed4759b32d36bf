/* SPDX-License-Identifier: MIT */
#include "sys/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "sys/file.h"

int lock_file_open(const char *path, mode_t mode, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        (void)err_temp(err, "4.3.0", "open lock file %s: %m", path);
        return -1;
    }
    if (!file_lock(fd, false)) {
        (void)err_temp(err, "4.3.0",
                       "open lock file %s: unable to set exclusive lock: %m", path);
        fd_close(&fd);
    }
    return fd;
}

bool lock_file_write_pid(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    CHECK(len > 0 && len < (int)sizeof(text));
    return ftruncate(fd, 0) == 0 && file_pwrite_all(fd, text, (size_t)len, 0);
}

bool lock_file_retake(int fd)
{
    return file_lock(fd, false);
}

/* The kernel gives no process ID across PID namespaces; the file may know better. */
static pid_t read_pid(int fd)
{
    char text[32];
    uint64_t pid = 0;
    ssize_t len = file_pread_all(fd, text, sizeof(text), 0);
    if (len <= 0 ||
        !number_parse_u64(view_trim(view_of(text, (size_t)len)), INT32_MAX, &pid)) {
        return -1;
    }
    return (pid_t)pid;
}

pid_t lock_file_holder(const char *path)
{
    FD_AUTO int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &lock) != 0) {
        return -1;
    }
    if (lock.l_type == F_UNLCK) {
        return 0;
    }
    return lock.l_pid > 0 ? lock.l_pid : read_pid(fd);
}
