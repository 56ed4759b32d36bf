/* SPDX-License-Identifier: MIT */
#include "sys/unnamed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int unnamed_open_proc(void)
{
    return open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int unnamed_create(int proc_fd, const char *directory, mode_t mode)
{
    if (proc_fd < 0) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, mode);
}

bool unnamed_link(int proc_fd, int fd, const char *path)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "%d", fd); /* a number fits */
    return linkat(proc_fd, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}
