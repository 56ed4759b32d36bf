/* SPDX-License-Identifier: MIT */
/*
 * One message into maildrop/.  The frames have been checked for their form
 * (rpc/submit_server.h); here is decided what a user may say: no time stamps, no
 * attributes but those of the envelope, one sender, and records in an order that
 * makes a message.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "rpc/submit_server.h"
#include "submit/postdrop/postdrop.h"
#include "sys/clock.h"

enum {
    ALLOWED_FLAGS = QUEUE_FILE_SMTPUTF8 | QUEUE_FILE_8BITMIME | QUEUE_FILE_7BIT |
                    QUEUE_FILE_VERIFY_ONLY | QUEUE_FILE_RECORD_TRACE
};

struct drop {
    const struct dropper *dropper;
    char id[QUEUE_ID_MAX];
    struct queue_writer *writer;
    bool has_sender, has_fullname, content_begun, late;
    int64_t limit; /* message_size_limit */
    struct submit_result result;
};

static bool start(struct drop *drop, struct err *err)
{
    const struct conf *conf = drop->dropper->conf;
    bool long_ids = conf_bool(conf, P_enable_long_queue_ids);
    int fd = queue_create(drop->dropper->dirs, QUEUE_MAILDROP, long_ids, drop->id, err);
    if (fd < 0) {
        return false;
    }
    if (drop->dropper->incomplete != NULL) {
        STR_AUTO struct str path = {0};
        queue_path(drop->dropper->dirs, QUEUE_MAILDROP, drop->id, &path);
        drop->dropper->incomplete(str_ptr(&path));
    }
    drop->writer = queue_writer_new(fd, clock_wall());
    drop->limit = conf_long(conf, P_message_size_limit);
    return true;
}

/* Close the file, and remove it unless it is a message. */
static void end(struct drop *drop, bool complete)
{
    CHECK(drop->writer != NULL && queue_id_valid(view_cstr(drop->id)));
    queue_writer_free(&drop->writer);
    if (!complete && !queue_remove(drop->dropper->dirs, QUEUE_MAILDROP, drop->id)) {
        log_warning("uid=%ld: remove %s/%s: %m", drop->dropper->uid, QUEUE_MAILDROP,
                    drop->id);
    }
    if (drop->dropper->incomplete != NULL) {
        drop->dropper->incomplete("");
    }
}

static void fail(struct drop *drop, enum submit_status status, const char *dsn,
                 const char *text)
{
    if (drop->result.status == SUBMIT_OK) {
        drop->result.status = status;
        (void)snprintf(drop->result.dsn, sizeof(drop->result.dsn), "%s", dsn);
        (void)snprintf(drop->result.text, sizeof(drop->result.text), "%s", text);
    }
}

/* --- records ---------------------------------------------------------------------- */

static bool is_allowed_attribute(const struct queue_attribute *attribute)
{
    if (view_equal_cstr(attribute->name, "rewrite_context")) {
        return view_equal_cstr(attribute->value, "local");
    }
    return view_equal_cstr(attribute->name, "envelope_id") ||
           view_equal_cstr(attribute->name, "ret_flags") ||
           view_equal_cstr(attribute->name, "encoding");
}

static bool is_in_order(const struct drop *drop, enum submit_frame kind)
{
    switch ((int)kind) {
    case SUBMIT_FRAME_SENDER:
        return !drop->has_sender && !drop->content_begun;
    case SUBMIT_FRAME_FULLNAME:
        return !drop->has_fullname && !drop->content_begun;
    case SUBMIT_FRAME_CONTENT:
        return drop->has_sender && !drop->late;
    case SUBMIT_FRAME_RECIPIENT:
        return drop->has_sender;
    case SUBMIT_FRAME_FILE_FLAGS:
    case SUBMIT_FRAME_ATTRIBUTE:
        return true;
    default:
        return false;
    }
}

static void note_place(struct drop *drop, enum submit_frame kind)
{
    drop->has_sender |= kind == SUBMIT_FRAME_SENDER;
    drop->has_fullname |= kind == SUBMIT_FRAME_FULLNAME;
    drop->late |= kind == SUBMIT_FRAME_RECIPIENT && drop->content_begun;
    drop->content_begun |= kind == SUBMIT_FRAME_CONTENT;
}

static void check_size(struct drop *drop)
{
    if (drop->limit > 0 && queue_writer_content_size(drop->writer) > drop->limit) {
        log_warning("uid=%ld: %s", drop->dropper->uid, strerror(EFBIG));
        fail(drop, SUBMIT_TOO_BIG, "5.3.4", "message file too big");
    }
}

/* False: a protocol error. */
static bool take_record(struct drop *drop, const struct submit_record *record)
{
    if (!is_in_order(drop, record->kind)) {
        return false;
    }
    if (record->kind == SUBMIT_FRAME_FILE_FLAGS) {
        if ((record->number & ~(uint64_t)ALLOWED_FLAGS) != 0) {
            return false;
        }
        queue_writer_set_flags(drop->writer, (unsigned)record->number);
        return true;
    }
    if (record->kind == SUBMIT_FRAME_ATTRIBUTE) {
        /* What smtpd -S knows of its client is no more than what the client says. */
        if (drop->content_begun || !is_allowed_attribute(&record->attribute)) {
            return true;
        }
    }
    note_place(drop, record->kind);
    submit_record_write(record, drop->writer);
    check_size(drop);
    return true;
}

/* --- the message ------------------------------------------------------------------ */

static void commit(struct drop *drop)
{
    struct err err = {0};
    CHECK(drop->result.status == SUBMIT_OK);
    if (!drop->has_sender) {
        fail(drop, SUBMIT_WRITE_ERROR, "5.5.1", "no sender");
    } else if (queue_writer_recipients(drop->writer) == 0) {
        fail(drop, SUBMIT_NO_RECIPIENTS, "5.5.1", "no recipients");
    }
    if (drop->result.status != SUBMIT_OK) {
        return;
    }
    drop->result.size = queue_writer_content_size(drop->writer);
    if (queue_writer_commit(drop->writer, true, &err) != OK) {
        log_warning("uid=%ld: %s", drop->dropper->uid, err.text);
        fail(drop, SUBMIT_WRITE_ERROR, "4.3.0", "queue file write error");
    }
}

enum progress { PROGRESS_MORE, PROGRESS_FINISHED, PROGRESS_ABORTED, PROGRESS_BROKEN };

/* Everything between OPENED and the answer. */
static enum progress take_frame(struct drop *drop, struct stream *client,
                                bool *answered)
{
    struct submit_record record;
    if (!submit_receive(client, &record)) {
        return stream_state(client) == STREAM_ERROR ? PROGRESS_BROKEN
                                                    : PROGRESS_ABORTED;
    }
    if (record.kind == SUBMIT_FRAME_ABORT) {
        return PROGRESS_ABORTED;
    }
    if (record.kind == SUBMIT_FRAME_FINISH) {
        return PROGRESS_FINISHED;
    }
    if (drop->result.status != SUBMIT_OK) {
        return PROGRESS_MORE; /* it is too late for this one */
    }
    if (!take_record(drop, &record)) {
        return PROGRESS_BROKEN;
    }
    if (drop->result.status != SUBMIT_OK) {
        *answered = true;
        return submit_send_result(client, &drop->result) ? PROGRESS_MORE
                                                         : PROGRESS_ABORTED;
    }
    return PROGRESS_MORE;
}

static bool receive_message(struct drop *drop, struct stream *client)
{
    bool answered = false;
    enum progress progress;
    do {
        progress = take_frame(drop, client, &answered);
    } while (progress == PROGRESS_MORE);
    if (progress == PROGRESS_FINISHED && drop->result.status == SUBMIT_OK) {
        commit(drop);
    }
    bool complete = progress == PROGRESS_FINISHED && drop->result.status == SUBMIT_OK;
    end(drop, complete);
    if (complete) {
        drop->dropper->dropped(drop->dropper);
    }
    if (progress == PROGRESS_FINISHED && !answered) {
        (void)submit_send_result(client, &drop->result); /* who left needs none */
    }
    return progress != PROGRESS_BROKEN;
}

bool drop_serve(const struct dropper *dropper, struct stream *client)
{
    struct submit_record record;
    while (submit_receive(client, &record)) {
        if (record.kind != SUBMIT_FRAME_OPEN || record.number != 0) {
            return false;
        }
        struct drop drop = {.dropper = dropper, .result.status = SUBMIT_OK};
        struct err err = {0};
        if (!start(&drop, &err)) {
            log_warning("uid=%ld: %s", dropper->uid, err.text);
            (void)submit_send_opened(client, false, view_cstr(err.text));
            return true;
        }
        if (!submit_send_opened(client, true, view_cstr(drop.id))) {
            end(&drop, false);
            return true;
        }
        if (!receive_message(&drop, client)) {
            return false;
        }
    }
    return stream_state(client) != STREAM_ERROR;
}
