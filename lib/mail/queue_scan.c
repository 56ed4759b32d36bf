/* SPDX-License-Identifier: MIT */
/*
 * Walking a queue.  Hash directories have names of one character, which no queue
 * ID has, at any depth: a queue whose hashing was changed is still seen whole.
 * Nothing is opened but directories.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "mail/queue_dir.h"
#include "sys/file.h"

enum { DEPTH_MAX = 20 };

struct level {
    DIR *dir;
    size_t path_len; /* of the directory's name in path */
};

struct queue_scan {
    struct str path;
    struct level levels[DEPTH_MAX];
    size_t depth;
};

/* Anybody who can write to maildrop/ can make directories there, too; in one of the
 * mail system's own nobody else can. */
static bool is_ours(const struct queue_scan *scan, int fd)
{
    struct stat st;
    return !view_starts(str_view(&scan->path), VIEW(QUEUE_MAILDROP "/")) ||
           (fstat(fd, &st) == 0 && st.st_uid == geteuid());
}

/* The queue itself may be a link that an administrator made. */
static DIR *open_level(const struct queue_scan *scan)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (scan->depth > 0 ? O_NOFOLLOW : 0);
    int fd = open(str_ptr(&scan->path), flags);
    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
            log_warning("open queue directory %s: %m", str_ptr(&scan->path));
        }
        return NULL;
    }
    DIR *dir = is_ours(scan, fd) ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        fd_close(&fd);
    }
    return dir;
}

static void enter(struct queue_scan *scan, struct view name)
{
    if (scan->depth == DEPTH_MAX) {
        log_warning("queue directory %s: nested too deeply", str_ptr(&scan->path));
        return;
    }
    size_t before = scan->path.len;
    if (before > 0) {
        str_add_byte(&scan->path, '/');
    }
    str_add(&scan->path, name);
    DIR *dir = open_level(scan);
    if (dir == NULL) {
        str_truncate(&scan->path, before);
        return;
    }
    scan->levels[scan->depth++] = (struct level){dir, scan->path.len};
}

static void leave(struct queue_scan *scan)
{
    CHECK(scan->depth > 0);
    (void)closedir(scan->levels[--scan->depth].dir);
    str_truncate(&scan->path,
                 scan->depth > 0 ? scan->levels[scan->depth - 1].path_len : 0);
}

struct queue_scan *queue_scan_open(const struct queue_dirs *dirs, const char *queue)
{
    (void)dirs; /* the walk believes what it finds, not what is configured */
    struct queue_scan *scan = xcalloc(1, sizeof(*scan));
    enter(scan, view_cstr(queue));
    return scan;
}

bool queue_scan_next_entry(struct queue_scan *scan, struct queue_entry *entry_out)
{
    while (scan->depth > 0) {
        errno = 0;
        const struct dirent *entry = readdir(scan->levels[scan->depth - 1].dir);
        if (entry == NULL) {
            if (errno != 0) {
                log_warning("read queue directory %s: %m", str_ptr(&scan->path));
            }
            leave(scan);
            continue;
        }
        struct view name = view_cstr(entry->d_name);
        if (name.ptr[0] == '.') {
            continue;
        }
        if (name.len == 1) {
            enter(scan, name);
            continue;
        }
        *entry_out = (struct queue_entry){.directory = str_ptr(&scan->path),
                                          .name = entry->d_name,
                                          .inode = entry->d_ino};
        return true;
    }
    return false;
}

bool queue_scan_next(struct queue_scan *scan, char id_out[QUEUE_ID_MAX])
{
    struct queue_entry entry;
    while (queue_scan_next_entry(scan, &entry)) {
        if (queue_id_valid(view_cstr(entry.name))) {
            (void)snprintf(id_out, QUEUE_ID_MAX, "%s", entry.name);
            return true;
        }
    }
    return false;
}

void queue_scan_close(struct queue_scan **scan)
{
    struct queue_scan *s = *scan;
    if (s == NULL) {
        return;
    }
    *scan = NULL;
    while (s->depth > 0) {
        leave(s);
    }
    str_done(&s->path);
    free(s);
}
