/* SPDX-License-Identifier: MIT */
/*
 * Walking maildrop/.  Any user of the machine can have made what lies there, so a
 * file is opened without following links, must be a plain file with one name, and
 * must be a whole and undamaged queue file.  What is not goes to corrupt/; what is
 * still being written is left alone; what cleanup cannot take now stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "mail/delivery_log.h"
#include "submit/pickup/pickup.h"
#include "sys/file.h"

enum verdict {
    VERDICT_GOOD,
    VERDICT_LATER, /* leave it there */
    VERDICT_BAD    /* not a message, and never will be one */
};

static void set_aside(const struct pickup *pickup, const struct drop_file *file)
{
    STR_AUTO struct str target = {0};
    queue_path(pickup->dirs, QUEUE_CORRUPT, file->id, &target);
    if (!queue_rename(QUEUE_CORRUPT, str_ptr(&file->path), &target)) {
        log_warning("move %s to %s: %m", str_ptr(&file->path), QUEUE_CORRUPT);
    }
}

/* What is recorded about the deliveries of a requeued message goes with it: nobody will
 * ask for it under its old name. */
static void remove_file(const struct pickup *pickup, const struct drop_file *file)
{
    static const char *const LOGS[] = {QUEUE_DEFER_LOG, QUEUE_BOUNCE_LOG,
                                       QUEUE_TRACE_LOG};
    for (size_t i = 0; file->requeued && i < ARRAY_SIZE(LOGS); i++) {
        if (!delivery_log_remove(pickup->dirs, LOGS[i], file->id)) {
            log_warning("remove %s/%s: %m", LOGS[i], file->id);
        }
    }
    if (unlink(str_ptr(&file->path)) != 0) {
        log_warning("remove %s: %m", str_ptr(&file->path));
    }
}

static enum verdict open_file(struct drop_file *file)
{
    file->fd = queue_open_path(str_ptr(&file->path), O_RDONLY);
    if (file->fd < 0) {
        if (errno == ENOENT) {
            return VERDICT_LATER; /* gone */
        }
        log_warning("open %s: %m", str_ptr(&file->path));
        return errno == ELOOP ? VERDICT_BAD : VERDICT_LATER;
    }
    if (fstat(file->fd, &file->st) != 0) {
        log_warning("stat %s: %m", str_ptr(&file->path));
        return VERDICT_LATER;
    }
    if (!S_ISREG(file->st.st_mode) || file->st.st_nlink > 1) {
        log_warning("%s: not a regular file with one name", str_ptr(&file->path));
        return VERDICT_BAD;
    }
    return VERDICT_GOOD;
}

static enum verdict of_outcome(enum outcome outcome, const struct err *err,
                               const struct drop_file *file)
{
    if (outcome == OK) {
        return VERDICT_GOOD;
    }
    if (outcome == TEMPFAIL && err->code == EAGAIN) {
        return VERDICT_LATER; /* its writer is at work */
    }
    log_warning("%s: %s", str_ptr(&file->path), err->text);
    return outcome == TEMPFAIL ? VERDICT_LATER : VERDICT_BAD;
}

/* A submission that was interrupted leaves an empty file: nobody was told it is queued.
 */
static bool is_leftover(const struct drop_file *file)
{
    return file->fd >= 0 && S_ISREG(file->st.st_mode) && file->st.st_size == 0;
}

static enum verdict read_file(struct drop_file *file)
{
    struct err err = {0};
    enum verdict verdict = open_file(file);
    if (verdict != VERDICT_GOOD) {
        return verdict;
    }
    verdict = of_outcome(queue_file_read(file->fd, &file->arena, &file->message, &err),
                         &err, file);
    if (verdict != VERDICT_GOOD) {
        return verdict;
    }
    /* postdrop makes files that pickup can read as another user; cleanup does not. */
    file->requeued = (file->st.st_mode & S_IROTH) == 0;
    return of_outcome(queue_file_verify_content(file->fd, &file->message, &err), &err,
                      file);
}

static void take_good(const struct pickup *pickup, struct drop_file *file)
{
    struct submit_result result;
    if (file->message.recipients_pending == 0) {
        remove_file(pickup, file); /* requeued after its last delivery */
        return;
    }
    resubmit(pickup, file, &result);
    switch (result.status) {
    case SUBMIT_OK:
        remove_file(pickup, file);
        return;
    case SUBMIT_TOO_BIG:
    case SUBMIT_TOO_MANY_HOPS:
    case SUBMIT_REJECTED:
    case SUBMIT_NO_RECIPIENTS:
    case SUBMIT_BAD_ADDRESS:
        log_warning("%s: %s -- message set aside", str_ptr(&file->path), result.text);
        set_aside(pickup, file);
        return;
    case SUBMIT_ALIAS_ERROR:
    case SUBMIT_LOOKUP_ERROR:
    case SUBMIT_WRITE_ERROR:
    case SUBMIT_LOST:
        log_warning("%s: %s -- will try again", str_ptr(&file->path), result.text);
        return;
    }
}

static void take_file(const struct pickup *pickup, struct drop_file *file)
{
    switch (read_file(file)) {
    case VERDICT_GOOD:
        take_good(pickup, file);
        break;
    case VERDICT_BAD:
        if (is_leftover(file)) {
            remove_file(pickup, file);
        } else {
            set_aside(pickup, file);
        }
        break;
    case VERDICT_LATER:
        break;
    }
}

/* A hash directory that has become empty has no use here, nor have those above it. */
static void remove_directories(struct str *directory)
{
    size_t end;
    while ((end = view_last_index(str_view(directory), '/')) < directory->len &&
           rmdir(str_ptr(directory)) == 0) {
        str_truncate(directory, end);
    }
}

void scan_maildrop(const struct pickup *pickup)
{
    struct queue_scan *scan = queue_scan_open(pickup->dirs, QUEUE_MAILDROP);
    STR_AUTO struct str directory = {0};
    struct drop_file file = {.fd = -1};
    struct queue_entry entry;
    while (queue_scan_next_entry(scan, &entry)) {
        if (!queue_id_valid(view_cstr(entry.name))) {
            continue;
        }
        if (!view_equal_cstr(str_view(&directory), entry.directory)) {
            remove_directories(&directory);
            str_set_cstr(&directory, entry.directory);
        }
        (void)snprintf(file.id, sizeof(file.id), "%s", entry.name);
        str_clear(&file.path);
        str_printf(&file.path, "%s/%s", entry.directory, entry.name);
        take_file(pickup, &file);
        fd_close(&file.fd);
        arena_clear(&file.arena);
        file.requeued = false;
    }
    queue_scan_close(&scan);
    remove_directories(&directory);
    str_done(&file.path);
}
