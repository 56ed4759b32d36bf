/* SPDX-License-Identifier: MIT */
/*
 * Names and places of queue files.  Every path is built from a queue's name, a
 * constant, and an ID that queue_id_valid() has passed: letters and digits, so no
 * name from outside can lead out of the queue.
 */
#include "mail/queue_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/unnamed.h"

enum {
    QUEUE_NAMES_MAX = 10,
    HASH_DEPTH_MAX = 16,
    CREATE_ATTEMPTS = 1000,
    FILE_MODE = 0600,
    MAILDROP_FILE_MODE = 0644, /* pickup runs as another user than who submits */
    DIRECTORY_MODE = 0700
};

struct queue_dirs {
    bool hashed[QUEUE_NAMES_MAX];
    int depth;
    int proc_fd; /* /proc/self/fd, to give names to files without; -1 */
};

static const char *const QUEUES[QUEUE_NAMES_MAX] = {
    QUEUE_MAILDROP, QUEUE_INCOMING,  QUEUE_ACTIVE,     QUEUE_DEFERRED,  QUEUE_HOLD,
    QUEUE_CORRUPT,  QUEUE_DEFER_LOG, QUEUE_BOUNCE_LOG, QUEUE_TRACE_LOG, "flush"};

bool queue_holds_messages(const char *queue)
{
    static const char *const MESSAGES[] = {QUEUE_MAILDROP, QUEUE_INCOMING, QUEUE_ACTIVE,
                                           QUEUE_DEFERRED, QUEUE_HOLD};
    for (size_t i = 0; i < ARRAY_SIZE(MESSAGES); i++) {
        if (strcmp(queue, MESSAGES[i]) == 0) {
            return true;
        }
    }
    return false;
}

struct queue_dirs *queue_dirs_new(const struct conf *conf)
{
    struct queue_dirs *dirs = xcalloc(1, sizeof(*dirs));
    dirs->proc_fd = -1;
    int depth = conf_int(conf, P_hash_queue_depth);
    dirs->depth = depth < HASH_DEPTH_MAX ? depth : HASH_DEPTH_MAX;
    struct view rest = view_cstr(conf_str(conf, P_hash_queue_names)), name;
    while (view_next_word(&rest, ", \t\r\n", &name)) {
        for (size_t i = 0; i < QUEUE_NAMES_MAX; i++) {
            if (view_equal_cstr(name, QUEUES[i])) {
                dirs->hashed[i] = true;
            }
        }
    }
    return dirs;
}

void queue_dirs_free(struct queue_dirs **dirs)
{
    if (*dirs != NULL) {
        fd_close(&(*dirs)->proc_fd);
        free(*dirs);
        *dirs = NULL;
    }
}

static bool is_hashed(const struct queue_dirs *dirs, const char *queue)
{
    for (size_t i = 0; i < QUEUE_NAMES_MAX; i++) {
        if (strcmp(queue, QUEUES[i]) == 0) {
            return dirs->hashed[i];
        }
    }
    return false;
}

int queue_hash_depth(const struct queue_dirs *dirs, const char *queue)
{
    return is_hashed(dirs, queue) ? dirs->depth : 0;
}

/* Subdirectories "A/B/" of ID, as the hashing rules want them. */
static void add_hash_path(const struct queue_dirs *dirs, const char *id,
                          struct str *path)
{
    char digits[QUEUE_ID_MAX];
    queue_id_hash_text(id, digits);
    for (int i = 0; i < dirs->depth && digits[i] != '\0'; i++) {
        str_add_byte(path, digits[i]);
        str_add_byte(path, '/');
    }
}

void queue_path(const struct queue_dirs *dirs, const char *queue, const char *id,
                struct str *path_out)
{
    CHECK(queue_id_valid(view_cstr(id)));
    str_clear(path_out);
    str_add_cstr(path_out, queue);
    str_add_byte(path_out, '/');
    if (is_hashed(dirs, queue)) {
        add_hash_path(dirs, id, path_out);
    }
    str_add_cstr(path_out, id);
}

bool queue_path_is_in(const struct queue_dirs *dirs, const char *queue,
                      const char *directory, const char *id)
{
    char digits[QUEUE_ID_MAX];
    size_t len = strlen(queue);
    if (strncmp(directory, queue, len) != 0) {
        return false;
    }
    directory += len;
    if (is_hashed(dirs, queue)) {
        queue_id_hash_text(id, digits);
        for (int i = 0; i < dirs->depth && digits[i] != '\0'; i++, directory += 2) {
            if (directory[0] != '/' || directory[1] != digits[i]) {
                return false;
            }
        }
    }
    return *directory == '\0';
}

/* The other place where ID may lie, after a look at the usual one has set errno: where
 * it was before it was requeued with its directory.  False: there is none. */
static bool find_requeued(const struct queue_dirs *dirs, const char *queue,
                          const char *id, struct str *path)
{
    struct stat st;
    if (errno != ENOENT || strcmp(queue, QUEUE_MAILDROP) != 0) {
        return false;
    }
    str_set_cstr(path, QUEUE_MAILDROP "/");
    add_hash_path(dirs, id, path);
    str_add_cstr(path, id);
    return lstat(str_ptr(path), &st) == 0;
}

/* Make the directories that PATH, of queue QUEUE, leads through. */
static bool make_parents(const char *queue, const struct str *path)
{
    STR_AUTO struct str directory = {0};
    for (size_t i = strlen(queue) + 1; i < path->len; i++) {
        if (path->ptr[i] != '/') {
            continue;
        }
        str_set(&directory, view_of(path->ptr, i));
        if (mkdir(str_ptr(&directory), DIRECTORY_MODE) != 0 && errno != EEXIST) {
            return false;
        }
    }
    return true;
}

bool queue_make_parents(const struct queue_dirs *dirs, const char *queue,
                        const char *id)
{
    STR_AUTO struct str path = {0};
    queue_path(dirs, queue, id, &path);
    return make_parents(queue, &path);
}

/* rename(2) that never replaces a file: the queue is what must not be lost. */
static bool rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return false;
    }
    return link(from, to) == 0 && unlink(from) == 0;
}

bool queue_rename(const char *queue, const char *from, const struct str *to)
{
    if (rename_new(from, str_ptr(to))) {
        return true;
    }
    return errno == ENOENT && make_parents(queue, to) && rename_new(from, str_ptr(to));
}

static int open_temporary(const char *queue, mode_t mode, struct str *path)
{
    for (int i = 0; i < CREATE_ATTEMPTS; i++) {
        str_clear(path);
        str_printf(path, "%s/%" PRId64 ".%ld", queue, clock_wall() + i, (long)getpid());
        int fd = open(str_ptr(path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

int queue_create(const struct queue_dirs *dirs, const char *queue, bool long_ids,
                 char id_out[QUEUE_ID_MAX], struct err *err)
{
    mode_t mode = strcmp(queue, QUEUE_MAILDROP) == 0 ? MAILDROP_FILE_MODE : FILE_MODE;
    STR_AUTO struct str temporary = {0};
    STR_AUTO struct str path = {0};
    int fd = open_temporary(queue, mode, &temporary);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)err_temp(err, "4.3.0", "create file %s: %m", str_ptr(&temporary));
        fd_close(&fd);
        return -1;
    }
    /* Locked as long as it is open: an incomplete file without a lock is debris of a
     * crash. */
    bool done = ((st.st_mode & 0777) == mode || fchmod(fd, mode) == 0) &&
                flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (done) {
        queue_id_make(long_ids, clock_wall(), st.st_ino, id_out);
        queue_path(dirs, queue, id_out, &path);
        done = queue_rename(queue, str_ptr(&temporary), &path);
    }
    if (!done) {
        (void)err_temp(err, "4.3.0", "rename %s to %s: %m", str_ptr(&temporary),
                       str_ptr(&path));
        (void)unlink(str_ptr(&temporary));
        fd_close(&fd);
    }
    return fd;
}

void queue_dirs_use_unnamed(struct queue_dirs *dirs)
{
    if (dirs->proc_fd < 0) {
        dirs->proc_fd = unnamed_open_proc();
    }
}

int queue_create_unnamed(const struct queue_dirs *dirs, const char *queue,
                         bool long_ids, char id_out[QUEUE_ID_MAX])
{
    struct stat st;
    int fd = unnamed_create(dirs->proc_fd, queue, FILE_MODE);
    if (fd < 0) {
        return -1;
    }
    /* The lock holds back whoever finds the name before its owner is done. */
    if (fstat(fd, &st) != 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        fd_close(&fd);
        return -1;
    }
    queue_id_make(long_ids, clock_wall(), st.st_ino, id_out);
    return fd;
}

bool queue_give_name(const struct queue_dirs *dirs, int fd, const char *queue,
                     const char *id)
{
    CHECK(dirs->proc_fd >= 0);
    STR_AUTO struct str path = {0};
    queue_path(dirs, queue, id, &path);
    return unnamed_link(dirs->proc_fd, fd, str_ptr(&path)) ||
           (errno == ENOENT && make_parents(queue, &path) &&
            unnamed_link(dirs->proc_fd, fd, str_ptr(&path)));
}

int queue_open_where(const struct queue_dirs *dirs, const char *queue, const char *id,
                     int flags, struct str *path_out)
{
    queue_path(dirs, queue, id, path_out);
    int fd = queue_open_path(str_ptr(path_out), flags);
    if (fd < 0 && find_requeued(dirs, queue, id, path_out)) {
        fd = queue_open_path(str_ptr(path_out), flags);
    }
    return fd;
}

int queue_open(const struct queue_dirs *dirs, const char *queue, const char *id,
               int flags)
{
    STR_AUTO struct str path = {0};
    return queue_open_where(dirs, queue, id, flags, &path);
}

int queue_open_path(const char *path, int flags)
{
    flags |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    if ((flags & O_ACCMODE) == O_RDONLY) {
        /* Nobody asks when a queue file was read last, and the modification time of a
         * deferred one lies in the future, so that every look at it would be written
         * to the disk.  Only the owner may look in secret. */
        int fd = open(path, flags | O_NOATIME, FILE_MODE);
        if (fd >= 0 || errno != EPERM) {
            return fd;
        }
    }
    return open(path, flags, FILE_MODE);
}

bool queue_move(const struct queue_dirs *dirs, const char *from, const char *to,
                const char *id)
{
    STR_AUTO struct str source = {0};
    STR_AUTO struct str target = {0};
    queue_path(dirs, from, id, &source);
    queue_path(dirs, to, id, &target);
    return queue_rename(to, str_ptr(&source), &target) ||
           (find_requeued(dirs, from, id, &source) &&
            queue_rename(to, str_ptr(&source), &target));
}

bool queue_remove(const struct queue_dirs *dirs, const char *queue, const char *id)
{
    STR_AUTO struct str path = {0};
    queue_path(dirs, queue, id, &path);
    return unlink(str_ptr(&path)) == 0 ||
           (find_requeued(dirs, queue, id, &path) && unlink(str_ptr(&path)) == 0);
}

const char *queue_find(const struct queue_dirs *dirs, const char *const *queues,
                       const char *id)
{
    STR_AUTO struct str path = {0};
    for (; *queues != NULL; queues++) {
        struct stat st;
        queue_path(dirs, *queues, id, &path);
        if (lstat(str_ptr(&path), &st) == 0 ||
            find_requeued(dirs, *queues, id, &path)) {
            return *queues;
        }
    }
    return NULL;
}
