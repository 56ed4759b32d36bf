/* SPDX-License-Identifier: MIT */
/*
 * Walking maildrop/.  Any user of the machine can have made what lies there, so a
 * file is opened without following links, must be a plain file with one name, and
 * must be a whole and undamaged queue file.  What is not goes to corrupt/; what is
 * still being written is left alone; what cleanup cannot take now stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "submit/pickup/pickup.h"
#include "sys/file.h"

enum verdict {
    VERDICT_GOOD,
    VERDICT_LATER, /* leave it there */
    VERDICT_BAD    /* not a message, and never will be one */
};

static void set_aside(const struct pickup *pickup, const char *id)
{
    if (!queue_move(pickup->dirs, QUEUE_MAILDROP, QUEUE_CORRUPT, id)) {
        log_warning("move %s/%s to %s: %m", QUEUE_MAILDROP, id, QUEUE_CORRUPT);
    }
}

static void remove_file(const struct pickup *pickup, const char *id)
{
    if (!queue_remove(pickup->dirs, QUEUE_MAILDROP, id)) {
        log_warning("remove %s/%s: %m", QUEUE_MAILDROP, id);
    }
}

static enum verdict open_file(const struct pickup *pickup, struct drop_file *file)
{
    file->fd = queue_open(pickup->dirs, QUEUE_MAILDROP, file->id, O_RDONLY);
    if (file->fd < 0) {
        if (errno == ENOENT) {
            return VERDICT_LATER; /* gone */
        }
        log_warning("open %s/%s: %m", QUEUE_MAILDROP, file->id);
        return errno == ELOOP ? VERDICT_BAD : VERDICT_LATER;
    }
    if (fstat(file->fd, &file->st) != 0) {
        log_warning("stat %s/%s: %m", QUEUE_MAILDROP, file->id);
        return VERDICT_LATER;
    }
    if (!S_ISREG(file->st.st_mode) || file->st.st_nlink > 1) {
        log_warning("%s/%s: not a regular file with one name", QUEUE_MAILDROP,
                    file->id);
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
    log_warning("%s/%s: %s", QUEUE_MAILDROP, file->id, err->text);
    return outcome == TEMPFAIL ? VERDICT_LATER : VERDICT_BAD;
}

/* A submission that was interrupted leaves an empty file: nobody was told it is queued.
 */
static bool is_leftover(const struct drop_file *file)
{
    return file->fd >= 0 && S_ISREG(file->st.st_mode) && file->st.st_size == 0;
}

static enum verdict read_file(const struct pickup *pickup, struct drop_file *file)
{
    struct err err = {0};
    enum verdict verdict = open_file(pickup, file);
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
        remove_file(pickup, file->id); /* requeued after its last delivery */
        return;
    }
    resubmit(pickup, file, &result);
    switch (result.status) {
    case SUBMIT_OK:
        remove_file(pickup, file->id);
        return;
    case SUBMIT_TOO_BIG:
    case SUBMIT_TOO_MANY_HOPS:
    case SUBMIT_REJECTED:
    case SUBMIT_NO_RECIPIENTS:
    case SUBMIT_BAD_ADDRESS:
        log_warning("%s/%s: %s -- message set aside", QUEUE_MAILDROP, file->id,
                    result.text);
        set_aside(pickup, file->id);
        return;
    case SUBMIT_ALIAS_ERROR:
    case SUBMIT_LOOKUP_ERROR:
    case SUBMIT_WRITE_ERROR:
    case SUBMIT_LOST:
        log_warning("%s/%s: %s -- will try again", QUEUE_MAILDROP, file->id,
                    result.text);
        return;
    }
}

static void take_file(const struct pickup *pickup, struct drop_file *file)
{
    switch (read_file(pickup, file)) {
    case VERDICT_GOOD:
        take_good(pickup, file);
        break;
    case VERDICT_BAD:
        if (is_leftover(file)) {
            remove_file(pickup, file->id);
        } else {
            set_aside(pickup, file->id);
        }
        break;
    case VERDICT_LATER:
        break;
    }
}

void scan_maildrop(const struct pickup *pickup)
{
    struct queue_scan *scan = queue_scan_open(pickup->dirs, QUEUE_MAILDROP);
    if (scan == NULL) {
        log_warning("scan %s: %m", QUEUE_MAILDROP);
        return;
    }
    struct drop_file file = {.fd = -1};
    while (queue_scan_next(scan, file.id)) {
        take_file(pickup, &file);
        fd_close(&file.fd);
        arena_clear(&file.arena);
    }
    queue_scan_close(&scan);
}
