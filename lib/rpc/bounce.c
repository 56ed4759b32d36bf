/* SPDX-License-Identifier: MIT */
/*
 * Asking bounce, defer or trace for a notice.  Notices are rare, so each request
 * has a connection of its own.
 */
#include "rpc/bounce.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "mail/queue_dir.h"
#include "net/connect.h"
#include "net/frame.h"
#include "net/stream.h"
#include "sys/clock.h"

/* As long as the other internal services have by default (ipc_timeout). */
static const int64_t ANSWER_TIME = INT64_C(3600) * CLOCK_SECOND;

static void build(struct str *frame, const struct bounce_request *request)
{
    frame_begin(frame, BOUNCE_FRAME_ASK);
    frame_put_u8(frame, (uint8_t)request->kind);
    frame_put_view(frame, request->queue_name);
    frame_put_view(frame, request->queue_id);
    frame_put_view(frame, request->sender);
    frame_put_view(frame, request->dsn_envid);
    frame_put_u8(frame, request->dsn_ret);
}

static enum outcome read_reply(uint8_t kind, struct frame_reader *reader,
                               const char *path, struct err *err)
{
    uint8_t outcome = frame_get_u8(reader);
    struct view text = frame_get_view(reader);
    if (kind != BOUNCE_FRAME_REPLY || !frame_reader_ok(reader) || outcome > PERMFAIL) {
        return err_temp(err, "4.3.0", "%s: malformed answer", path);
    }
    if (outcome == PERMFAIL) {
        return err_perm(err, "5.3.0", "%.*s", VIEW_ARG(text));
    }
    return outcome == OK ? OK : err_temp(err, "4.3.0", "%.*s", VIEW_ARG(text));
}

static enum outcome ask(struct stream *stream, const char *path,
                        const struct bounce_request *request, struct err *err)
{
    STR_AUTO struct str frame = {0};
    struct frame_reader reader;
    uint8_t kind;
    build(&frame, request);
    if (!frame_send_now(stream, &frame) || !frame_receive(stream, &kind, &reader)) {
        return err_temp(err, "4.3.0", "%s: %s", path, stream_problem(stream));
    }
    return read_reply(kind, &reader, path, err);
}

enum outcome bounce_ask(const char *service, const struct bounce_request *request,
                        struct err *err)
{
    int64_t deadline = clock_now() + ANSWER_TIME;
    struct err why = {0};
    char *path = xasprintf("private/%s", service);
    int fd = connect_unix(path, deadline, &why);
    enum outcome outcome;
    if (fd < 0) {
        outcome = err_temp(err, "4.3.0", "connect to %s: %s", path, why.text);
    } else {
        struct stream *stream = stream_new(fd);
        stream_set_deadline(stream, deadline);
        outcome = ask(stream, path, request, err);
        stream_free(&stream);
    }
    free(path);
    return outcome;
}

/* --- server's side ------------------------------------------------------------- */

static bool get_request(struct view fields, struct bounce_request *request)
{
    struct frame_reader reader;
    frame_reader_init(&reader, fields);
    uint8_t kind = frame_get_u8(&reader);
    request->kind = (enum bounce_kind)kind;
    request->queue_name = frame_get_view(&reader);
    request->queue_id = frame_get_view(&reader);
    request->sender = frame_get_view(&reader);
    request->dsn_envid = frame_get_view(&reader);
    request->dsn_ret = frame_get_u8(&reader);
    return frame_reader_ok(&reader) && queue_id_valid(request->queue_id) &&
           (kind == BOUNCE_FAILED || kind == BOUNCE_DELAYED || kind == BOUNCE_TRACE);
}

bool bounce_receive(struct stream *client, struct arena *arena,
                    struct bounce_request *request_out)
{
    struct frame_reader reader;
    uint8_t kind;
    *request_out = (struct bounce_request){0};
    if (!frame_receive(client, &kind, &reader)) {
        return false;
    }
    if (kind != BOUNCE_FRAME_ASK ||
        !get_request(arena_view(arena, reader.rest), request_out)) {
        stream_fail(client, EPROTO);
        return false;
    }
    return true;
}

bool bounce_send_reply(struct stream *client, enum outcome outcome, struct view text)
{
    STR_AUTO struct str frame = {0};
    frame_begin(&frame, BOUNCE_FRAME_REPLY);
    frame_put_u8(&frame, (uint8_t)outcome);
    frame_put_view(&frame, text);
    return frame_send_now(client, &frame);
}
