/* SPDX-License-Identifier: MIT */
/*
 * The sending side of a submission.  A struct submit stands on one kept connection
 * from OPEN to RESULT; between messages the connection waits in the client's pool.
 *
 * Trouble is sticky: after the connection is lost, or cleanup has answered early,
 * records and content go nowhere and submit_finish() tells what happened.
 */
#include "rpc/submit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "net/frame.h"
#include "rpc/kept.h"
#include "sys/clock.h"

/* One content frame is at most this long, so that cleanup works while we send. */
enum { CONTENT_FRAME_MAX = 64 * 1024 };
/* A sender that goes on in vain for this long does no harm. */
enum { CHECK_EVERY = 64 * 1024 };
/* A message that was opened ahead is an empty file, and a connection of cleanup. */
enum { AHEAD_IDLE = 100 * CLOCK_SECOND };

struct submit_client {
    struct kept_pool pool;
    bool ahead; /* messages are opened before they are there: kept.note is the ID */
};

struct submit {
    struct submit_client *client;
    struct kept *kept;
    bool answered;    /* RESULT was received */
    size_t unchecked; /* content bytes since submit_ok() has asked the kernel */
    struct submit_result result;
    char queue_id[QUEUE_ID_MAX];
};

struct submit_client *submit_client_new(const struct conf *conf, const char *service)
{
    struct submit_client *client = xcalloc(1, sizeof(*client));
    const char *name =
        service != NULL ? service : conf_str(conf, P_cleanup_service_name);
    kept_pool_init(&client->pool, "public", name, conf_time(conf, P_ipc_timeout));
    return client;
}

void submit_client_expect_more(struct submit_client *client)
{
    CHECK(!client->pool.program);
    client->ahead = true;
    client->pool.max_idle = AHEAD_IDLE;
}

struct submit_client *submit_client_new_postdrop(const struct conf *conf)
{
    struct submit_client *client = xcalloc(1, sizeof(*client));
    char *program = xasprintf("%s/postdrop", conf_str(conf, P_command_directory));
    kept_pool_init_program(&client->pool, program, conf_time(conf, P_ipc_timeout));
    free(program);
    return client;
}

void submit_client_free(struct submit_client **client)
{
    if (*client != NULL) {
        kept_pool_done(&(*client)->pool);
        free(*client);
        *client = NULL;
    }
}

/* --- opening ---------------------------------------------------------------- */

static void copy_text(char *to, size_t size, struct view from)
{
    (void)snprintf(to, size, "%.*s", VIEW_ARG(from)); /* cut: it is for people */
}

enum opening { OPENING_DONE, OPENING_REFUSED, OPENING_DEAD };

/* Read OPENED.  DEAD: no answer came. */
static enum opening receive_opened(struct submit *submit, struct view *id_out,
                                   struct err *err)
{
    struct kept *kept = submit->kept;
    struct frame_reader reader;
    uint8_t kind;
    if (!frame_receive(kept->stream, &kind, &reader)) {
        (void)err_temp(err, "4.3.0", "%s: %s", submit->client->pool.path,
                       stream_problem(kept->stream));
        return OPENING_DEAD;
    }
    bool opened = frame_get_u8(&reader) != 0;
    *id_out = frame_get_view(&reader);
    if (kind != SUBMIT_FRAME_OPENED || !frame_reader_ok(&reader) ||
        (opened && !queue_id_valid(*id_out))) {
        (void)err_temp(err, "4.3.0", "%s: malformed answer", submit->client->pool.path);
        stream_fail(kept->stream, EPROTO);
        return OPENING_REFUSED;
    }
    if (!opened) {
        (void)err_temp(err, "4.3.0", "%.*s", VIEW_ARG(*id_out));
        return OPENING_REFUSED;
    }
    return OPENING_DONE;
}

/* Send OPEN and get the queue ID; or just the former, when the latter is there. */
static enum opening open_message(struct submit *submit, unsigned flags, struct err *err)
{
    struct kept *kept = submit->kept;
    struct view id = str_view(&kept->note);
    enum opening opening = OPENING_DONE;
    frame_begin(&kept->frame, SUBMIT_FRAME_OPEN);
    frame_put_u64(&kept->frame, flags);
    if (id.len > 0) {
        /* Nobody has asked for anything: what can be read is the end. */
        bool alive = !stream_readable_now(kept->stream) &&
                     frame_send(kept->stream, &kept->frame);
        opening = alive ? OPENING_DONE : OPENING_DEAD;
    } else {
        (void)frame_send_now(kept->stream, &kept->frame);
        opening = receive_opened(submit, &id, err);
    }
    if (opening == OPENING_DONE) {
        CHECK(id.len < sizeof(submit->queue_id));
        copy_text(submit->queue_id, sizeof(submit->queue_id), id);
    }
    str_clear(&kept->note);
    return opening;
}

struct submit *submit_begin(struct submit_client *client, unsigned flags,
                            struct err *err)
{
    struct submit *submit = xcalloc(1, sizeof(*submit));
    submit->client = client;
    flags |= client->ahead ? (unsigned)SUBMIT_AHEAD : 0U;
    for (bool fresh = false;; fresh = true) {
        submit->kept = kept_take(&client->pool, fresh, err);
        if (submit->kept == NULL) {
            break;
        }
        enum opening opening = open_message(submit, flags, err);
        if (opening == OPENING_DONE) {
            return submit;
        }
        bool try_again = opening == OPENING_DEAD && submit->kept->reused;
        kept_drop(submit->kept);
        if (!try_again) {
            break;
        }
    }
    free(submit);
    return NULL;
}

const char *submit_queue_id(const struct submit *submit)
{
    return submit->queue_id;
}

/* --- records and content ------------------------------------------------------ */

static struct str *begin_record(struct submit *submit, enum submit_frame kind)
{
    frame_begin(&submit->kept->frame, (uint8_t)kind);
    return &submit->kept->frame;
}

static void send_record(struct submit *submit)
{
    if (submit->answered) {
        return;
    }
    if (!frame_send(submit->kept->stream, &submit->kept->frame)) {
        /* Either the stream says so already, or the record is absurdly long. */
        if (stream_ok(submit->kept->stream)) {
            stream_fail(submit->kept->stream, EMSGSIZE);
        }
    }
}

void submit_set_file_flags(struct submit *submit, unsigned queue_file_flags)
{
    frame_put_u64(begin_record(submit, SUBMIT_FRAME_FILE_FLAGS), queue_file_flags);
    send_record(submit);
}

void submit_arrival_time(struct submit *submit, int64_t wall_time)
{
    frame_put_u64(begin_record(submit, SUBMIT_FRAME_ARRIVAL), (uint64_t)wall_time);
    send_record(submit);
}

void submit_attribute(struct submit *submit, const char *name, struct view value)
{
    struct str *frame = begin_record(submit, SUBMIT_FRAME_ATTRIBUTE);
    frame_put_cstr(frame, name);
    frame_put_view(frame, value);
    send_record(submit);
}

void submit_sender(struct submit *submit, struct view sender)
{
    frame_put_view(begin_record(submit, SUBMIT_FRAME_SENDER), sender);
    send_record(submit);
}

void submit_fullname(struct submit *submit, struct view name)
{
    frame_put_view(begin_record(submit, SUBMIT_FRAME_FULLNAME), name);
    send_record(submit);
}

void submit_recipient(struct submit *submit, const struct queue_recipient *recipient)
{
    struct str *frame = begin_record(submit, SUBMIT_FRAME_RECIPIENT);
    frame_put_view(frame, recipient->address);
    frame_put_view(frame, recipient->original);
    frame_put_view(frame, recipient->dsn_orcpt);
    frame_put_u8(frame, recipient->dsn_notify);
    send_record(submit);
}

void submit_content(struct submit *submit, struct view data)
{
    submit->unchecked += data.len;
    while (data.len > 0 && !submit->answered && stream_ok(submit->kept->stream)) {
        struct view part = view_first(data, CONTENT_FRAME_MAX);
        (void)frame_send_data(submit->kept->stream, SUBMIT_FRAME_CONTENT, part);
        data = view_from(data, part.len);
    }
}

void submit_hold(struct submit *submit)
{
    (void)begin_record(submit, SUBMIT_FRAME_HOLD);
    send_record(submit);
}

/* --- the end ------------------------------------------------------------------ */

/* Read RESULT into submit->result. */
static void receive_result(struct submit *submit)
{
    struct frame_reader reader;
    uint8_t kind;
    if (submit->answered || !frame_receive(submit->kept->stream, &kind, &reader)) {
        return;
    }
    struct submit_result *result = &submit->result;
    uint8_t status = frame_get_u8(&reader);
    copy_text(result->dsn, sizeof(result->dsn), frame_get_view(&reader));
    copy_text(result->text, sizeof(result->text), frame_get_view(&reader));
    result->size = (int64_t)frame_get_u64(&reader);
    if (kind != SUBMIT_FRAME_RESULT || !frame_reader_ok(&reader) ||
        status >= SUBMIT_LOST) {
        stream_fail(submit->kept->stream, EPROTO);
        return;
    }
    result->status = (enum submit_status)status;
    submit->answered = true;
}

/* OPENED of the next message follows the good end of this one. */
static void receive_next(struct submit *submit)
{
    struct view id;
    if (submit->client->ahead && submit->answered &&
        submit->result.status == SUBMIT_OK &&
        receive_opened(submit, &id, NULL) == OPENING_DONE) {
        str_set(&submit->kept->note, id);
    }
}

static void set_lost(struct submit *submit)
{
    struct submit_result *result = &submit->result;
    *result = (struct submit_result){.status = SUBMIT_LOST, .dsn = "4.3.0"};
    (void)snprintf(result->text, sizeof(result->text), "%s: %s",
                   submit->client->pool.path, stream_problem(submit->kept->stream));
}

void submit_finish(struct submit *submit, struct submit_result *result_out)
{
    struct kept *kept = submit->kept;
    frame_begin(&kept->frame, SUBMIT_FRAME_FINISH);
    /* An early answer may be all that is left of a cleanup that has closed. */
    (void)frame_send_now(kept->stream, &kept->frame);
    receive_result(submit);
    if (!submit->answered) {
        set_lost(submit);
    }
    receive_next(submit);
    *result_out = submit->result;
    if (submit->answered && stream_ok(kept->stream)) {
        kept_return(&submit->client->pool, kept);
    } else {
        kept_drop(kept);
    }
    free(submit);
}

void submit_abort(struct submit *submit)
{
    struct kept *kept = submit->kept;
    frame_begin(&kept->frame, SUBMIT_FRAME_ABORT);
    /* After an early answer there is no telling what else is on its way. */
    bool reusable = !stream_readable_now(kept->stream) && !submit->answered;
    if (frame_send_now(kept->stream, &kept->frame) && reusable) {
        kept_return(&submit->client->pool, kept);
    } else {
        kept_drop(kept);
    }
    free(submit);
}

bool submit_ok(struct submit *submit)
{
    struct stream *stream = submit->kept->stream;
    if (submit->answered || !stream_ok(stream)) {
        return false;
    }
    if (submit->unchecked < CHECK_EVERY) {
        return true;
    }
    submit->unchecked = 0;
    return !stream_readable_now(stream);
}
