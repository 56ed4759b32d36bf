/* SPDX-License-Identifier: MIT */
/*
 * Names and places of queue files.  A short queue ID must name the inode of its
 * file, or a new message could get the same ID; after a spool was copied or
 * restored it does not.  Hashed queues may have been reconfigured.
 *
 * No file is opened, and none is looked at whose directory entry is as it should
 * be: this runs at every start.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "postsuper/postsuper.h"
#include "sys/clock.h"

/* A file whose right name is still taken waits under this one for the second pass. */
#define WAITING_SUFFIX "#FIX"
/* Temporary files are born and renamed within a moment. */
#define TEMPORARY_AGE ((int64_t)7 * 24 * 3600 * CLOCK_SECOND)
#define TEMPORARY_GRACE ((int64_t)60 * CLOCK_SECOND)

enum { PRUNE_DEPTH_MAX = 20 };

struct check {
    struct postsuper *postsuper;
    const struct structure_options *options;
    const char *queue;
    bool waiting; /* somebody waits for a second pass */
};

/* ID_OUT: NAME without the suffix.  False: it is no queue ID. */
static bool id_of_name(const char *name, char id_out[QUEUE_ID_MAX])
{
    struct view text = view_cstr(name);
    if (view_ends_nocase(text, VIEW(WAITING_SUFFIX))) {
        text.len -= strlen(WAITING_SUFFIX);
    }
    uint64_t inode;
    if (!queue_id_valid(text)) {
        return false;
    }
    memcpy(id_out, text.ptr, text.len);
    id_out[text.len] = '\0';
    return queue_id_inode(id_out, &inode);
}

static void handle_bogus(const struct check *check, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return;
    }
    int64_t age = clock_wall() - (int64_t)st.st_mtim.tv_sec * CLOCK_SECOND;
    if (check->options->purge && age > TEMPORARY_AGE && S_ISREG(st.st_mode)) {
        if (unlink(path) != 0 && errno != ENOENT) {
            log_fatal("remove file %s: %m", path);
        }
        if (log_verbose() > 0) {
            log_info("removed file %s", path);
        }
    } else if (age > TEMPORARY_GRACE) {
        log_warning("bogus file name: %s", path);
    }
}

static void say_renamed(const char *from, const char *to)
{
    if (log_verbose() > 0) {
        log_info("renamed file %s as %s", from, to);
    }
}

/* Rename, or wait for the one who has our name. */
static bool rename_or_wait(struct check *check, const char *queue, const char *from,
                           struct str *to)
{
    if (strcmp(from, str_ptr(to)) == 0) {
        return true;
    }
    if (queue_rename(queue, from, to)) {
        say_renamed(from, str_ptr(to));
        return true;
    }
    if (errno != EEXIST) {
        return false;
    }
    str_add_cstr(to, WAITING_SUFFIX);
    check->waiting = true;
    if (strcmp(from, str_ptr(to)) == 0) {
        return true;
    }
    bool done = queue_rename(queue, from, to);
    if (done) {
        say_renamed(from, str_ptr(to));
    }
    return done;
}

/* The logs are named after the message. */
static void rename_logs(struct check *check, const char *old_id, const char *new_id)
{
    static const char *const LOGS[] = {QUEUE_DEFER_LOG, QUEUE_BOUNCE_LOG,
                                       QUEUE_TRACE_LOG};
    STR_AUTO struct str from = {0};
    STR_AUTO struct str to = {0};
    for (size_t i = 0; i < ARRAY_SIZE(LOGS); i++) {
        queue_path(check->postsuper->dirs, LOGS[i], old_id, &from);
        queue_path(check->postsuper->dirs, LOGS[i], new_id, &to);
        if (!rename_or_wait(check, LOGS[i], str_ptr(&from), &to) && errno != ENOENT) {
            log_warning("rename file %s as %s: %m", str_ptr(&from), str_ptr(&to));
        }
    }
}

/* The ID that the file at PATH should have.  What readdir(3) says of the inode is not
 * true on every file system, so a difference is looked into. */
static bool right_id(const struct check *check, const struct queue_entry *entry,
                     const char *path, const char *id, char right_out[QUEUE_ID_MAX])
{
    uint64_t inode;
    struct stat st;
    (void)snprintf(right_out, QUEUE_ID_MAX, "%s", id);
    if (!queue_holds_messages(check->queue) || !queue_id_inode(id, &inode) ||
        inode == entry->inode ||
        (queue_id_is_long(id) && !check->options->long_names)) {
        return true;
    }
    if (lstat(path, &st) != 0) {
        return false;
    }
    queue_id_with_inode(id, st.st_ino, right_out);
    return true;
}

/* Nearly all are, and this is asked of every file at every start. */
static bool is_right(const struct check *check, const struct queue_entry *entry)
{
    uint64_t inode;
    return queue_id_valid(view_cstr(entry->name)) &&
           queue_id_inode(entry->name, &inode) &&
           (inode == entry->inode || !queue_holds_messages(check->queue) ||
            (!check->options->long_names && queue_id_is_long(entry->name))) &&
           queue_path_is_in(check->postsuper->dirs, check->queue, entry->directory,
                            entry->name);
}

/* Where it should be as ID.  What was requeued with its directory may stay in it. */
static void right_path(const struct check *check, const struct queue_entry *entry,
                       const char *id, struct str *path_out)
{
    if (strcmp(check->queue, QUEUE_MAILDROP) == 0) {
        str_clear(path_out);
        str_printf(path_out, "%s/%s", entry->directory, id);
    } else {
        queue_path(check->postsuper->dirs, check->queue, id, path_out);
    }
}

static void check_entry(struct check *check, const struct queue_entry *entry)
{
    char id[QUEUE_ID_MAX], right[QUEUE_ID_MAX];
    STR_AUTO struct str path = {0};
    STR_AUTO struct str target = {0};
    if (is_right(check, entry)) {
        return;
    }
    str_printf(&path, "%s/%s", entry->directory, entry->name);
    if (!id_of_name(entry->name, id)) {
        handle_bogus(check, str_ptr(&path));
        return;
    }
    if (!check->options->names || !right_id(check, entry, str_ptr(&path), id, right)) {
        return;
    }
    right_path(check, entry, right, &target);
    if (!rename_or_wait(check, check->queue, str_ptr(&path), &target)) {
        if (errno != ENOENT) {
            log_fatal("rename file %s as %s: %m", str_ptr(&path), str_ptr(&target));
        }
        return;
    }
    if (strcmp(id, right) != 0) {
        check->postsuper->renamed++;
        rename_logs(check, id, right);
    }
}

static void check_queue(struct check *check)
{
    struct queue_scan *scan = queue_scan_open(check->postsuper->dirs, check->queue);
    struct queue_entry entry;
    if (log_verbose() > 0) {
        log_info("queue: %s", check->queue);
    }
    while (queue_scan_next_entry(scan, &entry)) {
        check_entry(check, &entry);
    }
    queue_scan_close(&scan);
}

/* Remove hash directories below the DEPTH levels that are in use, if they are empty. */
static void prune(struct str *path, int depth, int level)
{
    static const char NAMES[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz";
    size_t len = path->len;
    for (size_t i = 0; i < sizeof(NAMES) - 1 && level < PRUNE_DEPTH_MAX; i++) {
        struct stat st;
        str_add_byte(path, '/');
        str_add_byte(path, NAMES[i]);
        if (lstat(str_ptr(path), &st) == 0 && S_ISDIR(st.st_mode)) {
            prune(path, depth, level + 1);
            if (level >= depth && rmdir(str_ptr(path)) == 0 && log_verbose() > 0) {
                log_info("remove directory %s", str_ptr(path));
            }
        }
        str_truncate(path, len);
    }
}

void structure_check(struct postsuper *postsuper,
                     const struct structure_options *options)
{
    struct check check = {.postsuper = postsuper, .options = options};
    enum { PASSES = 2 };
    if (options->purge) {
        directories_remove_deleted(postsuper->queues, 0); /* a start does not wait */
    }
    for (int pass = 0; pass < PASSES && (pass == 0 || check.waiting); pass++) {
        check.waiting = false;
        for (size_t i = 0; postsuper->queues[i] != NULL; i++) {
            check.queue = postsuper->queues[i];
            if (strcmp(check.queue, "flush") != 0) {
                check_queue(&check);
            }
        }
    }
    for (size_t i = 0; postsuper->queues[i] != NULL && options->names; i++) {
        STR_AUTO struct str path = {0};
        str_add_cstr(&path, postsuper->queues[i]);
        prune(&path, queue_hash_depth(postsuper->dirs, postsuper->queues[i]), 0);
    }
    if (check.waiting) {
        log_warning("some queue files have two right names: see *%s", WAITING_SUFFIX);
    }
}
