/* SPDX-License-Identifier: MIT */
#include "map/map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "base/log.h"
#include "sys/clock.h"
#include "task/task.h"

enum {
    LOOK_INTERVAL = CLOCK_SECOND,
    LOCK_TIME = 10 * CLOCK_SECOND,
    LOCK_PAUSE = 20 * CLOCK_MILLISECOND,
    EDIT_TIME = 100 /* seconds: somebody is editing, and builds the table soon */
};

bool map_file_note(struct map_file *file, int fd)
{
    file->is_old = false;
    file->looked_at = 0;
    return fstat(fd, &file->opened) == 0;
}

/* The file we have open was overwritten or is no longer anybody's. */
static bool content_is_old(const struct map_file *file, int fd)
{
    struct stat now;
    const struct stat *then = &file->opened;
    return fstat(fd, &now) == 0 &&
           (now.st_nlink == 0 || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != then->st_mtim.tv_nsec);
}

/* The name is another file's.  Outside a chroot this also sees through hard links. */
static bool name_is_taken(const struct map_file *file)
{
    struct stat now;
    return stat(file->path, &now) == 0 &&
           (now.st_dev != file->opened.st_dev || now.st_ino != file->opened.st_ino);
}

bool map_file_is_replaced(struct map_file *file, int fd)
{
    int64_t now = clock_now();
    bool lately = !file->always_look && now - file->looked_at < LOOK_INTERVAL;
    if (file->is_old || lately) {
        return false;
    }
    file->looked_at = now;
    if (name_is_taken(file)) {
        return true;
    }
    file->is_old = content_is_old(file, fd);
    return false;
}

/* Not a lock of the fcntl kind, which would end when a library closes any of its
 * descriptors of the file. */
int map_file_lock(const struct map_file *file, mode_t mode, int *fd_out)
{
    int64_t end = clock_now() + LOCK_TIME;
    *fd_out = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (*fd_out < 0) {
        return errno;
    }
    while (flock(*fd_out, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || clock_now() > end ||
            task_sleep_until(clock_now() + LOCK_PAUSE) == TASK_CANCELLED) {
            return errno;
        }
    }
    return 0;
}

void map_file_warn_old(const struct map_file *file, const char *source)
{
    struct stat st;
    if (stat(source, &st) == 0 && st.st_mtime > file->opened.st_mtime &&
        st.st_mtime < time(NULL) - EDIT_TIME) {
        log_warning("database %s is older than source file %s", file->path, source);
    }
}
