/* SPDX-License-Identifier: MIT */
/*
 * One-way notifications.  A channel that a fiber is busy sending on collects what
 * the others have to say; the sender takes it along.  Nobody waits for a receiver
 * that is stuck longer than SEND_TIME: what it was not told, its scans find.
 */
#include "rpc/notify.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "net/connect.h"
#include "net/frame.h"
#include "net/stream.h"
#include "sys/clock.h"

enum { SEND_TIME = 5 * CLOCK_SECOND };
enum { WAITING_MAX = 1024 * 1024 };

static void build(struct str *frame, enum notify_frame kind, struct view text)
{
    frame_begin(frame, (uint8_t)kind);
    frame_put_view(frame, text);
}

static struct stream *connect_to(const char *path, struct err *err)
{
    int fd = connect_unix(path, clock_now() + SEND_TIME, err);
    if (fd < 0) {
        return NULL;
    }
    struct stream *stream = stream_new(fd);
    stream_set_timeout(stream, SEND_TIME);
    return stream;
}

enum outcome notify_send(const char *path, enum notify_frame kind, struct view text,
                         struct err *err)
{
    struct err why = {0};
    struct stream *stream = connect_to(path, &why);
    if (stream == NULL) {
        return err_temp(err, "4.3.0", "connect to %s: %s", path, why.text);
    }
    STR_AUTO struct str frame = {0};
    build(&frame, kind, text);
    enum outcome outcome = OK;
    if (!frame_send_now(stream, &frame)) {
        outcome =
            err_temp(err, "4.3.0", "write to %s: %s", path, stream_problem(stream));
    }
    stream_free(&stream);
    return outcome;
}

bool notify_receive(struct stream *sender, enum notify_frame *kind_out,
                    struct view *text_out)
{
    struct frame_reader reader;
    uint8_t kind;
    *text_out = view_of("", 0);
    if (!frame_receive(sender, &kind, &reader)) {
        return false;
    }
    *kind_out = (enum notify_frame)kind;
    if (reader.rest.len > 0) { /* a bare wake-up has no text */
        *text_out = frame_get_view(&reader);
    }
    if (!frame_reader_ok(&reader)) {
        stream_fail(sender, EPROTO);
        return false;
    }
    return true;
}

/* --- channel -------------------------------------------------------------------- */

struct notify_channel {
    char *path;
    struct stream *stream; /* NULL: not connected */
    struct str frame;
    struct str waiting; /* complete frames that are to be sent */
    bool busy;          /* a fiber is sending */
};

struct notify_channel *notify_channel_new(const char *path)
{
    struct notify_channel *channel = xcalloc(1, sizeof(*channel));
    channel->path = xstrdup(path);
    str_init(&channel->waiting, WAITING_MAX);
    return channel;
}

void notify_channel_free(struct notify_channel **channel)
{
    struct notify_channel *c = *channel;
    if (c == NULL) {
        return;
    }
    CHECK(!c->busy);
    *channel = NULL;
    stream_free(&c->stream);
    str_done(&c->frame);
    str_done(&c->waiting);
    free(c->path);
    free(c);
}

/* Send DATA, on a new connection if the old one is dead. */
static bool deliver(struct notify_channel *channel, struct view data)
{
    bool was_kept = channel->stream != NULL;
    if (!was_kept) {
        channel->stream = connect_to(channel->path, NULL);
    }
    if (channel->stream == NULL) {
        return false;
    }
    stream_write(channel->stream, data);
    if (stream_flush(channel->stream)) {
        return true;
    }
    bool dead = stream_state(channel->stream) == STREAM_EOF;
    stream_free(&channel->stream);
    return was_kept && dead && deliver(channel, data);
}

/* Send what waits and what is added meanwhile. */
static bool drain(struct notify_channel *channel)
{
    bool sent = true;
    channel->busy = true;
    while (sent && channel->waiting.len > 0) {
        struct str batch = channel->waiting;
        str_init(&channel->waiting, WAITING_MAX);
        sent = deliver(channel, str_view(&batch));
        str_done(&batch);
    }
    channel->busy = false;
    str_clear(&channel->waiting);
    return sent;
}

bool notify_channel_send(struct notify_channel *channel, enum notify_frame kind,
                         struct view text)
{
    build(&channel->frame, kind, text);
    if (!frame_seal(&channel->frame)) {
        return false;
    }
    str_add(&channel->waiting, str_view(&channel->frame));
    if (!str_ok(&channel->waiting)) {
        channel->waiting.overflow =
            false; /* this one is dropped, what waits is whole */
        return false;
    }
    return channel->busy || drain(channel);
}
