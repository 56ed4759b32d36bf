/* SPDX-License-Identifier: MIT */
/*
 * A message comes into memory: its file is read where it lies and moved to active/.
 *
 * A file that is not complete is debris of a crash unless somebody still writes
 * it, which the writer's lock tells.  A damaged file goes to corrupt/, never to
 * an agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/address.h"
#include "qmgr/qmgr.h"
#include "sys/file.h"

static void drop_debris(struct qmgr *qmgr, const char *queue, const char *id)
{
    log_warning("%s: removing incomplete message file (never acknowledged)", id);
    if (!queue_remove(qmgr->dirs, queue, id)) {
        log_warning("remove %s/%s: %m", queue, id);
    }
}

static void set_aside(struct qmgr *qmgr, const char *queue, const char *id,
                      const struct err *err)
{
    log_warning("%s: saving damaged message file to corrupt: %s", id, err->text);
    if (!queue_move(qmgr->dirs, queue, QUEUE_CORRUPT, id)) {
        log_warning("rename %s/%s to corrupt: %m", queue, id);
    }
}

/* The header is written last: one that is missing, or all zeros, was never there. */
static bool was_never_committed(int fd)
{
    unsigned char start[64];
    ssize_t got = file_pread_all(fd, start, sizeof(start), 0);
    for (ssize_t i = 0; i < got; i++) {
        if (start[i] != 0) {
            return false;
        }
    }
    return got >= 0;
}

/* Somebody is at work on the file: look again soon. */
static void look_again(struct qmgr *qmgr, const char *queue)
{
    if (strcmp(queue, QUEUE_ACTIVE) == 0) {
        qmgr->scan_active = true; /* an agent that outlived the last queue manager */
    } else {
        qmgr->scan_incoming = true; /* a writer */
    }
}

/* False: not ours to take now (dealt with). */
static bool read_file(struct qmgr *qmgr, const char *queue, struct message *message)
{
    FD_AUTO int fd = queue_open(qmgr->dirs, queue, message->id, O_RDONLY);
    if (fd < 0) {
        if (errno != ENOENT) { /* deleted meanwhile: nothing to say */
            log_warning("open %s/%s: %m", queue, message->id);
        }
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        look_again(qmgr, queue);
        return false;
    }
    struct err err;
    switch (queue_file_read(fd, &message->arena, &message->file, &err)) {
    case OK:
        return true;
    case TEMPFAIL: /* the next scan finds it */
        log_warning("%s: %s", message->id, err.text);
        return false;
    case PERMFAIL:
        break;
    }
    if (was_never_committed(fd)) {
        drop_debris(qmgr, queue, message->id);
    } else {
        set_aside(qmgr, queue, message->id, &err);
    }
    return false;
}

static bool move_to_active(struct qmgr *qmgr, const char *queue, const char *id)
{
    if (strcmp(queue, QUEUE_ACTIVE) == 0 ||
        queue_move(qmgr->dirs, queue, QUEUE_ACTIVE, id)) {
        return true;
    }
    if (errno != ENOENT) {
        log_warning("rename %s/%s to active: %m", queue, id);
    }
    return false;
}

static void collect_pending(struct message *message)
{
    struct queue_message *file = &message->file;
    message->recipients = arena_alloc(
        &message->arena, (file->recipients_pending + 1) * sizeof(*message->recipients));
    for (size_t i = 0; i < file->record_count; i++) {
        struct queue_record *record = &file->records[i];
        if (record->type == QUEUE_RECORD_RECIPIENT &&
            record->recipient.state == RECIPIENT_PENDING) {
            CHECK(message->recipient_count < file->recipients_pending);
            message->recipients[message->recipient_count++] = &record->recipient;
        }
    }
    message->unfinished = message->recipient_count;
}

/* Whoever is not marked done is tried again: what earlier attempts recorded is void.
 * Not so the reports of success, whose recipients will not come again. */
static void take_over_logs(struct qmgr *qmgr, struct message *message)
{
    struct delivery_record *records;
    struct err err;
    (void)delivery_log_remove(qmgr->dirs, QUEUE_DEFER_LOG, message->id);
    (void)delivery_log_remove(qmgr->dirs, QUEUE_BOUNCE_LOG, message->id);
    if (delivery_log_read(qmgr->dirs, QUEUE_TRACE_LOG, message->id, &message->arena,
                          &records, &message->traced, &err) != OK) {
        log_warning("%s: %s", message->id, err.text);
    }
}

static void log_active(const struct message *message)
{
    STR_AUTO struct str sender = {0};
    address_quote(message->file.sender, &sender);
    log_info("%s: from=<%s>, size=%lld, nrcpt=%zu (queue active)", message->id,
             str_ptr(&sender), (long long)message->file.content_size,
             message->recipient_count);
}

struct message *message_new(const char *queue)
{
    struct message *message = xcalloc(1, sizeof(*message));
    message->queue = queue;
    message->active_time = clock_wall();
    return message;
}

void message_set_id(struct message *message, struct view id)
{
    CHECK(id.len < sizeof(message->id));
    memcpy(message->id, id.ptr, id.len);
    message->id[id.len] = '\0';
}

void message_discard(struct message *message)
{
    arena_clear(&message->arena);
    free(message);
}

void message_enter(struct qmgr *qmgr, struct message *message)
{
    collect_pending(message);
    list_add_tail(&qmgr->messages, &message->node);
    (void)htab_put(qmgr->by_id, view_cstr(message->id), message);
    log_active(message);
}

struct message *message_load(struct qmgr *qmgr, const char *queue, const char *id)
{
    struct message *message = message_new(QUEUE_ACTIVE);
    message_set_id(message, view_cstr(id));
    if (!read_file(qmgr, queue, message) || !move_to_active(qmgr, queue, id)) {
        message_discard(message);
        return NULL;
    }
    if (strcmp(queue, QUEUE_INCOMING) != 0) {
        take_over_logs(qmgr, message);
    }
    message_enter(qmgr, message);
    return message;
}

void message_activate(struct qmgr *qmgr, struct message *message)
{
    if (strcmp(message->queue, QUEUE_ACTIVE) != 0 &&
        move_to_active(qmgr, message->queue, message->id)) {
        message->queue = QUEUE_ACTIVE;
    }
}

void message_activate_old(struct qmgr *qmgr)
{
    int64_t before = clock_wall() - CLOCK_SECOND;
    LIST_EACH(&qmgr->messages, node)
    {
        struct message *message = LIST_ITEM(node, struct message, node);
        if (message->active_time <= before) {
            message_activate(qmgr, message);
        }
    }
}

void message_free(struct qmgr *qmgr, struct message *message)
{
    (void)htab_remove(qmgr->by_id, view_cstr(message->id));
    list_remove(&message->node);
    message_discard(message);
}
