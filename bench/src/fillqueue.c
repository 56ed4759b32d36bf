/* SPDX-License-Identifier: MIT */
/*
 * fillqueue SPOOL COUNT DUE_FIRST DUE_LAST: copies the deferred messages of a stopped
 * or running mail system, queue file and defer log, until COUNT are there.  Works for
 * every suite that keeps one file per message in deferred/X/ID and defer/X/ID with
 * short queue IDs: each copy gets an ID that names its own inode.  Modification times,
 * which say when the next attempt is due, are spread between now + DUE_FIRST and now +
 * DUE_LAST seconds.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SEEDS_MAX = 1000, PATH_BYTES = 600, MICROSECONDS = 1000000 };

struct file {
    char *bytes;
    size_t len;
    struct stat st;
};

struct seed {
    struct file message, log; /* log.bytes is NULL when there is none */
};

static struct seed seeds[SEEDS_MAX];
static long seed_count, present;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int load(const char *path, struct file *file)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &file->st) != 0) {
        die(path);
    }
    file->len = (size_t)file->st.st_size;
    file->bytes = malloc(file->len + 1);
    if (file->bytes == NULL || read(fd, file->bytes, file->len) != file->st.st_size) {
        die(path);
    }
    close(fd);
    return 0;
}

static void take_seed(const char *hash, const char *id)
{
    char path[PATH_BYTES];
    present++;
    if (seed_count == SEEDS_MAX) {
        return;
    }
    struct seed *seed = &seeds[seed_count];
    snprintf(path, sizeof(path), "deferred/%s/%s", hash, id);
    if (load(path, &seed->message) != 0) {
        return;
    }
    snprintf(path, sizeof(path), "defer/%s/%s", hash, id);
    (void)load(path, &seed->log);
    seed_count++;
}

static void collect(void)
{
    char path[PATH_BYTES];
    DIR *top = opendir("deferred");
    struct dirent *hash, *entry;
    while (top != NULL && (hash = readdir(top)) != NULL) {
        if (hash->d_name[0] == '.' || hash->d_name[1] != '\0') {
            continue;
        }
        snprintf(path, sizeof(path), "deferred/%s", hash->d_name);
        DIR *dir = opendir(path);
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            if (entry->d_name[0] != '.') {
                take_seed(hash->d_name, entry->d_name);
            }
        }
        closedir(dir);
    }
    if (seed_count == 0) {
        fprintf(stderr, "no deferred message to copy\n");
        exit(1);
    }
}

/* In the mode and with the owner of what it is a copy of; returns its inode. */
static unsigned long copy(const char *path, const struct file *file)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || write(fd, file->bytes, file->len) != (ssize_t)file->len ||
        fchown(fd, file->st.st_uid, file->st.st_gid) != 0 ||
        fchmod(fd, file->st.st_mode & 07777) != 0 || fstat(fd, &st) != 0) {
        die(path);
    }
    close(fd);
    return (unsigned long)st.st_ino;
}

static void make_directory(const char *top, char hash, const struct stat *like)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%c", top, hash);
    if (mkdir(path, 0700) == 0 && chown(path, like->st_uid, like->st_gid) != 0) {
        die(path);
    }
}

static void add_message(const struct seed *seed, long number, long due)
{
    static const char temporary[] = "deferred/tmp.fill";
    char id[64], path[PATH_BYTES];
    unsigned long inode = copy(temporary, &seed->message);
    snprintf(id, sizeof(id), "%05lX%lX", number * 7919 % MICROSECONDS, inode);
    make_directory("deferred", id[0], &seed->message.st);
    make_directory("defer", id[0], &seed->message.st);
    if (seed->log.bytes != NULL) {
        snprintf(path, sizeof(path), "defer/%c/%s", id[0], id);
        (void)copy(path, &seed->log);
    }
    struct timespec times[2] = {{.tv_sec = due}, {.tv_sec = due}};
    snprintf(path, sizeof(path), "deferred/%c/%s", id[0], id);
    if (utimensat(AT_FDCWD, temporary, times, 0) != 0 || rename(temporary, path) != 0) {
        die(path);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: fillqueue spool count due_first due_last\n");
        return 1;
    }
    long wanted = strtol(argv[2], NULL, 10), first = strtol(argv[3], NULL, 10),
         last = strtol(argv[4], NULL, 10);
    long span = last > first ? last - first : 1;
    time_t now = time(NULL);
    umask(0);
    collect();
    for (long i = present; i < wanted; i++) {
        add_message(&seeds[i % seed_count], i, now + first + i * 104729 % span);
    }
    sync();
    return 0;
}
