/* SPDX-License-Identifier: MIT */
/*
 * Whole hash directories.  Unlinking or renaming a file costs the file system about as
 * much as all the rest of its handling, so what is done to "ALL" is done with one
 * rename to each hash directory, after which its messages are gone or requeued for
 * everybody, whether the mail system runs or not: who comes to the old path finds no
 * directory, and makes one if it has something to put there.
 *
 * Deleted directories get names that begin with a dot, which no walk through a queue
 * looks at.  Their files are removed at once if that does not take long, and otherwise
 * by a process of its own, so that nobody has to wait for it; what a crash leaves of
 * them the next start removes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "postsuper/postsuper.h"
#include "sys/clock.h"
#include "sys/file.h"

#define DELETED_PREFIX ".deleted."

enum { DEPTH_MAX = 20, NICE = 10 };

/* --- names ------------------------------------------------------------------------ */

/* In maildrop/ others may have made some. */
static bool is_our_directory(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* The directories in QUEUE whose names WANTED accepts: an array that ends with NULL. */
static char **list_directories(const char *queue, bool (*wanted)(const char *name))
{
    size_t count = 0;
    char **names = xcalloc(1, sizeof(*names));
    DIR *dir = opendir(queue);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (!wanted(entry->d_name)) {
            continue;
        }
        char *path = xasprintf("%s/%s", queue, entry->d_name);
        if (is_our_directory(path)) {
            names = xreallocarray(names, count + 2, sizeof(*names));
            names[count++] = xstrdup(entry->d_name);
            names[count] = NULL;
        }
        free(path);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return names;
}

static void free_names(char **names)
{
    for (char **name = names; *name != NULL; name++) {
        free(*name);
    }
    free(names);
}

static bool is_hash_name(const char *name)
{
    return ascii_alnum(name[0]) && name[1] == '\0';
}

static bool is_deleted_name(const char *name)
{
    return strncmp(name, DELETED_PREFIX, strlen(DELETED_PREFIX)) == 0;
}

/* --- taking them away ------------------------------------------------------------- */

/* Rename the directory FROM, without replacing anything. */
static bool rename_directory(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0;
}

/* Give the directory PATH of QUEUE a name that no walk finds; freed by the caller.
 * NULL: it cannot be done. */
static char *hide_directory(const char *queue, const char *path)
{
    for (unsigned i = 0; i < UINT_MAX; i++) {
        char *hidden =
            xasprintf("%s/" DELETED_PREFIX "%ld.%u", queue, (long)getpid(), i);
        if (rename_directory(path, hidden)) {
            return hidden;
        }
        free(hidden);
        if (errno != EEXIST) {
            break;
        }
    }
    return NULL;
}

/* What is no message is not ours to delete: back with it. */
static void put_back(const char *queue, const char *directory,
                     const struct queue_entry *entry)
{
    STR_AUTO struct str to = {0};
    char *from = xasprintf("%s/%s", entry->directory, entry->name);
    str_printf(&to, "%s/%s", directory, entry->name);
    if (!queue_rename(queue, from, &to)) {
        log_warning("rename file %s as %s: %m", from, str_ptr(&to));
    }
    free(from);
}

size_t directories_delete(const struct postsuper *postsuper, const char *queue,
                          bool logs_too)
{
    size_t count = 0;
    char **names = list_directories(queue, is_hash_name);
    for (char **name = names; *name != NULL; name++) {
        char *path = xasprintf("%s/%s", queue, *name);
        char *hidden = hide_directory(queue, path);
        if (hidden != NULL && queue_holds_messages(queue)) {
            struct queue_scan *scan = queue_scan_open(postsuper->dirs, hidden);
            struct queue_entry entry;
            while (queue_scan_next_entry(scan, &entry)) {
                if (!queue_id_valid(view_cstr(entry.name))) {
                    put_back(queue, path, &entry);
                    continue;
                }
                count++;
                if (logs_too) {
                    message_remove_logs(postsuper, entry.name);
                }
            }
            queue_scan_close(&scan);
        }
        free(hidden);
        free(path);
    }
    free_names(names);
    return count;
}

/* Messages in DIRECTORY; 0 if there is anything else. */
static size_t count_messages(const struct queue_dirs *dirs, const char *directory)
{
    struct queue_scan *scan = queue_scan_open(dirs, directory);
    struct queue_entry entry;
    size_t count = 0, others = 0;
    while (queue_scan_next_entry(scan, &entry)) {
        bool valid = queue_id_valid(view_cstr(entry.name));
        count += valid;
        others += !valid;
    }
    queue_scan_close(&scan);
    return others == 0 ? count : 0;
}

size_t directories_requeue(const struct postsuper *postsuper, const char *queue)
{
    size_t total = 0;
    char **names = list_directories(queue, is_hash_name);
    for (char **name = names; *name != NULL; name++) {
        char *from = xasprintf("%s/%s", queue, *name);
        char *to = xasprintf("%s/%s", QUEUE_MAILDROP, *name);
        /* Counted before, because pickup may be at it right afterwards. */
        size_t count = count_messages(postsuper->dirs, from);
        (void)rmdir(to); /* of an earlier time, if it is empty */
        if (count > 0 && rename_directory(from, to)) {
            total += count;
        }
        free(from);
        free(to);
    }
    free_names(names);
    return total;
}

/* --- removing them for good ------------------------------------------------------- */

/* Remove the directory NAME of PARENT with all it holds.  False: DEADLINE has come. */
static bool remove_tree(int parent, const char *name, int depth, int64_t deadline)
{
    enum { FILES_PER_LOOK = 64 };
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 && depth < DEPTH_MAX ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        fd_close(&fd);
        return true;
    }
    const struct dirent *entry;
    bool in_time = true;
    for (size_t count = 0; in_time && (entry = readdir(dir)) != NULL; count++) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (unlinkat(fd, entry->d_name, 0) != 0 && errno == EISDIR) {
            in_time = remove_tree(fd, entry->d_name, depth + 1, deadline);
        }
        if (count % FILES_PER_LOOK == FILES_PER_LOOK - 1) {
            in_time = in_time && clock_now() < deadline;
        }
    }
    (void)closedir(dir);
    if (in_time && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        log_warning("remove directory %s: %m", name);
    }
    return in_time;
}

static bool remove_deleted(const char *const *queues, int64_t deadline)
{
    bool in_time = true;
    for (; *queues != NULL && in_time; queues++) {
        FD_AUTO int fd = open(*queues, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char **names = list_directories(*queues, is_deleted_name);
        for (char **name = names; fd >= 0 && *name != NULL && in_time; name++) {
            in_time = remove_tree(fd, *name, 0, deadline);
        }
        free_names(names);
    }
    return in_time;
}

/* The caller's terminal and pipes must not wait for us. */
static void leave_caller(void)
{
    (void)setsid();
    FD_AUTO int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = STDIN_FILENO; fd >= 0 && i <= STDERR_FILENO; i++) {
        (void)dup2(fd, i);
    }
    (void)setpriority(PRIO_PROCESS, 0, NICE);
}

void directories_remove_deleted(const char *const *queues, int64_t patience)
{
    int64_t now = clock_now();
    if (remove_deleted(queues,
                       patience < CLOCK_NEVER - now ? now + patience : CLOCK_NEVER)) {
        return;
    }
    pid_t pid = fork();
    if (pid > 0) {
        return;
    }
    if (pid == 0) {
        leave_caller();
    }
    (void)remove_deleted(queues, CLOCK_NEVER); /* without a process: here, then */
    if (pid == 0) {
        _exit(EXIT_SUCCESS);
    }
}
