/* SPDX-License-Identifier: MIT */
/*
 * One message on its way into the queue.  Its file exists from the beginning, as
 * the queue ID is made from it; but it has no name before it is complete, so that a
 * message that does not get there leaves nothing behind.  On file systems that cannot
 * do that it has its name from the beginning, and is removed unless it is committed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cleanup/cleanup.h"
#include "sys/clock.h"
#include "sys/file.h"

struct message *message_new(struct settings *settings, unsigned flags, struct err *err)
{
    char id[QUEUE_ID_MAX];
    bool long_ids = conf_bool(settings->conf, P_enable_long_queue_ids);
    int fd = queue_create_unnamed(settings->dirs, QUEUE_INCOMING, long_ids, id);
    const char *queue = NULL;
    if (fd < 0) {
        queue = QUEUE_INCOMING;
        fd = queue_create(settings->dirs, queue, long_ids, id, err);
    }
    if (fd < 0) {
        return NULL;
    }
    struct message *message = xcalloc(1, sizeof(*message));
    message->settings = settings;
    message->queue = queue;
    message->fd = fd;
    memcpy(message->id, id, sizeof(id));
    message->recipients = htab_new();
    message->result.status = SUBMIT_OK;
    message_begin(message, flags);
    return message;
}

void message_begin(struct message *message, unsigned flags)
{
    CHECK(message->writer == NULL);
    message->flags = flags;
    message->arrival_time = clock_wall();
}

void message_free(struct message **message)
{
    struct message *m = *message;
    if (m == NULL) {
        return;
    }
    CHECK(m->fd < 0 || m->writer == NULL); /* one of them owns the file */
    *message = NULL;
    fd_close(&m->fd);
    queue_writer_free(&m->writer);
    if (m->queue != NULL && !queue_remove(m->settings->dirs, m->queue, m->id)) {
        log_warning("remove %s/%s: %m", m->queue, m->id);
    }
    if (m->result.status == SUBMIT_TOO_BIG) {
        log_warning("mail_stream_cleanup: close error"); /* log readers know it */
    }
    htab_free(&m->recipients, NULL);
    header_pass_done(&m->headers);
    arena_clear(&m->arena);
    free(m);
}

void message_fail(struct message *message, enum submit_status status, const char *dsn,
                  const char *text)
{
    if (!message_ok(message)) {
        return;
    }
    struct submit_result *result = &message->result;
    CHECK(status != SUBMIT_OK && status != SUBMIT_LOST);
    result->status = status;
    (void)snprintf(result->dsn, sizeof(result->dsn), "%s", dsn);
    (void)snprintf(result->text, sizeof(result->text), "%s",
                   text); /* cut: for people */
}

/* --- records ---------------------------------------------------------------------- */

static void start_writing(struct message *message)
{
    if (message->writer == NULL) {
        message->writer = queue_writer_new(message->fd, message->arrival_time);
        message->fd = -1;
    }
}

/* Everything but recipients and attributes must stand before the content. */
static bool is_in_order(const struct message *message, enum submit_frame kind)
{
    bool content_begun = message->headers.any;
    switch ((int)kind) {
    case SUBMIT_FRAME_ARRIVAL:
        return message->writer == NULL;
    case SUBMIT_FRAME_SENDER:
        return !message->has_sender && !content_begun;
    case SUBMIT_FRAME_FULLNAME:
        return message->fullname.ptr == NULL && !content_begun;
    case SUBMIT_FRAME_CONTENT:
        return message->has_sender && !message->late;
    case SUBMIT_FRAME_RECIPIENT:
        return message->has_sender;
    case SUBMIT_FRAME_FILE_FLAGS:
    case SUBMIT_FRAME_ATTRIBUTE:
    case SUBMIT_FRAME_HOLD:
        return true;
    default:
        return false;
    }
}

static void end_content(struct message *message)
{
    if (message->headers.any && !message->late) {
        message->late = true;
        header_pass_end(message);
        if (message_ok(message) && message->encoding.len > 0) {
            queue_writer_attribute(message->writer, "encoding", message->encoding);
        }
    }
}

static void take_content(struct message *message, struct view data)
{
    CHECK(!message->late && message->writer != NULL);
    if (message->client_size == 0 && message->envelope_size == 0) {
        message->envelope_size = queue_writer_size(message->writer);
    }
    message->client_size += (int64_t)data.len;
    header_pass_feed(message, data);
    /* The limit includes envelope information (postconf(5)). */
    int64_t limit = message->settings->size_limit;
    if (limit > 0 && message->envelope_size + message->client_size > limit) {
        message_fail(message, SUBMIT_TOO_BIG, "5.3.4", "message file too big");
    }
}

static void take_attribute(struct message *message, const struct submit_record *record)
{
    CHECK(record->kind == SUBMIT_FRAME_ATTRIBUTE);
    if (view_equal_cstr(record->attribute.name, "encoding")) {
        message->encoding = arena_view(&message->arena, record->attribute.value);
    }
    submit_record_write(record, message->writer);
}

bool message_record(struct message *message, const struct submit_record *record)
{
    if (!is_in_order(message, record->kind)) {
        return false;
    }
    if (record->kind == SUBMIT_FRAME_ARRIVAL) {
        message->arrival_time = (int64_t)record->number;
        return true;
    }
    if (record->kind == SUBMIT_FRAME_HOLD) {
        message->flags |= SUBMIT_HOLD;
        return true;
    }
    start_writing(message);
    switch ((int)record->kind) {
    case SUBMIT_FRAME_FILE_FLAGS:
        queue_writer_set_flags(message->writer, (unsigned)record->number);
        break;
    case SUBMIT_FRAME_SENDER:
        envelope_sender(message, record->text);
        break;
    case SUBMIT_FRAME_FULLNAME:
        message->fullname = arena_view(&message->arena, record->text);
        queue_writer_fullname(message->writer, record->text);
        break;
    case SUBMIT_FRAME_RECIPIENT:
        end_content(message);
        envelope_recipient(message, &record->recipient);
        break;
    case SUBMIT_FRAME_CONTENT:
        take_content(message, record->text);
        break;
    default:
        end_content(message);
        take_attribute(message, record);
    }
    return true;
}

/* --- the end ---------------------------------------------------------------------- */

static bool holds(const struct message *message)
{
    return (message->flags & SUBMIT_HOLD) != 0;
}

static void write_failed(struct message *message, const char *what)
{
    log_warning("%s: %s", message->id, what);
    message_fail(message, SUBMIT_WRITE_ERROR, "4.3.0", "queue file write error");
}

/* The file, which is complete, gets its name where it belongs. */
static bool put_in_place(struct message *message)
{
    const char *queue = holds(message) ? QUEUE_HOLD : QUEUE_INCOMING;
    const struct queue_dirs *dirs = message->settings->dirs;
    bool done = message->queue != NULL && strcmp(message->queue, queue) == 0;
    if (message->queue == NULL) {
        int fd = queue_writer_fd(message->writer);
        done = queue_give_name(dirs, fd, queue, message->id);
    } else if (!done) {
        done = queue_move(dirs, message->queue, queue, message->id);
    }
    message->queue = done ? queue : message->queue;
    return done;
}

/* The bytes, then the name, then the sync of both. */
static bool make_durable(struct message *message)
{
    struct err err = {0};
    enum outcome outcome = queue_writer_complete(message->writer, &err);
    if (outcome == OK && !put_in_place(message)) {
        outcome = err_temp(&err, "4.3.0", "name queue file: %m");
    }
    if (outcome == OK) {
        outcome = queue_writer_commit(message->writer, true, &err);
    }
    if (outcome != OK) {
        write_failed(message, err.text);
    }
    return message_ok(message);
}

/* All parts of the file are in the writer; *OK tells whether it may be committed. */
static bool complete_file(struct message *message)
{
    start_writing(message);
    if (!message->headers
             .any) { /* a message may be empty, but has headers all the same */
        message->headers.any = true;
        queue_writer_content(message->writer, view_of("", 0));
    }
    end_content(message);
    if (message_ok(message)) {
        envelope_add_copies(message);
    }
    if (message_ok(message) && queue_writer_recipients(message->writer) == 0) {
        message_fail(message, SUBMIT_NO_RECIPIENTS, "5.5.1", "no recipients");
    }
    return message_ok(message);
}

void message_commit(struct message *message)
{
    if (!message->has_sender) {
        message_fail(message, SUBMIT_WRITE_ERROR, "4.3.0", "no sender");
    }
    if (!message_ok(message) || !complete_file(message)) {
        return;
    }
    message->result.size = queue_writer_content_size(message->writer);
    announce_resolve(message);
    if (!make_durable(message)) {
        return;
    }
    if (!holds(message)) {
        announce_send(message);
    }
    message->queue = NULL; /* the file is the queue's now */
}
