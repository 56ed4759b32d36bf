/* SPDX-License-Identifier: MIT */
/*
 * Writing to a stream.  Small writes collect in the output buffer; what does not
 * fit goes out together with the buffer in one system call, straight from the
 * caller's memory.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/str.h"
#include "net/stream_private.h"

/* What is still to be sent: the output buffer, then data of the caller. */
enum { PARTS = 2 };
/* Most formatted texts are replies and fit in this. */
enum { PRINTF_USUAL = 512 };

static ssize_t send_parts(struct channel *channel, struct iovec parts[PARTS])
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = PARTS};
    switch (channel->kind) {
    case CHANNEL_SOCKET:
        return sendmsg(channel->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    case CHANNEL_BLOCKING: {
        /* A pipe that is ready takes this much without blocking. */
        struct iovec *part = parts[0].iov_len > 0 ? &parts[0] : &parts[1];
        return write(channel->fd, part->iov_base,
                     part->iov_len < PIPE_BUF ? part->iov_len : PIPE_BUF);
    }
    case CHANNEL_NONBLOCKING:
    case CHANNEL_FILE:
        break;
    }
    return writev(channel->fd, parts, PARTS);
}

static ssize_t write_once(struct stream *stream, struct iovec parts[PARTS],
                          unsigned *events)
{
    *events = TASK_WRITE;
    if (stream->filter.write == NULL) {
        return send_parts(stream_out(stream), parts);
    }
    struct iovec *part = parts[0].iov_len > 0 ? &parts[0] : &parts[1];
    return stream->filter.write(stream->filter.context, part->iov_base, part->iov_len,
                                events);
}

static void advance(struct iovec parts[PARTS], size_t sent)
{
    for (size_t i = 0; i < PARTS; i++) {
        size_t here = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        if (here > 0) {
            parts[i].iov_base = (char *)parts[i].iov_base + here;
            parts[i].iov_len -= here;
            sent -= here;
        }
    }
    CHECK(sent == 0);
}

/* Send all of PARTS.  Waits.  False with the state set. */
static bool send_all(struct stream *stream, struct iovec parts[PARTS])
{
    bool wait_first =
        stream_out(stream)->kind == CHANNEL_BLOCKING && stream->filter.write == NULL;
    while (parts[0].iov_len > 0 || parts[1].iov_len > 0) {
        if (!stream_in_time(stream) ||
            (wait_first &&
             !stream_await(stream, TASK_WRITE, stream_wait_limit(stream)))) {
            return false;
        }
        unsigned events;
        ssize_t sent = write_once(stream, parts, &events);
        if (sent >= 0) {
            advance(parts, (size_t)sent);
            continue;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            stream_io_failed(stream, errno);
            return false;
        }
        if (!stream_await(stream, events, stream_wait_limit(stream))) {
            return false;
        }
    }
    return true;
}

/* struct iovec serves reading too; sending does not write to what it points to. */
static void *without_const(const void *data)
{
    union {
        const void *constant;
        void *plain;
    } pointer = {.constant = data};
    return pointer.plain;
}

/* Send the buffer, then EXTRA. */
static bool flush_with(struct stream *stream, struct view extra)
{
    struct buffer *output = &stream->output;
    struct iovec parts[PARTS] = {
        {.iov_base = output->ptr, .iov_len = output->end},
        {.iov_base = without_const(extra.ptr), .iov_len = extra.len},
    };
    bool ok = send_all(stream, parts);
    output->end = 0; /* sent, or the stream has ended */
    return ok;
}

/* Make room for LEN more bytes; false if so much is not buffered. */
static bool reserve_output(struct stream *stream, size_t len)
{
    struct buffer *output = &stream->output;
    CHECK(output->start == 0);
    if (len > BUFFER_WRITE_MOST - output->end) {
        return false;
    }
    size_t capacity = output->capacity > 0 ? output->capacity : BUFFER_FIRST;
    while (capacity < output->end + len) {
        capacity *= 2;
    }
    buffer_reserve(output, capacity);
    return true;
}

void stream_write(struct stream *stream, struct view data)
{
    if (stream->state != STREAM_OK || data.len == 0) {
        return;
    }
    if (!reserve_output(stream, data.len)) {
        (void)flush_with(stream, data); /* the state tells */
        return;
    }
    memcpy(stream->output.ptr + stream->output.end, data.ptr, data.len);
    stream->output.end += data.len;
}

void stream_write_cstr(struct stream *stream, const char *text)
{
    stream_write(stream, view_cstr(text));
}

void stream_printf(struct stream *stream, const char *format, ...)
{
    if (stream->state != STREAM_OK) {
        return;
    }
    struct buffer *output = &stream->output;
    bool buffered = reserve_output(stream, PRINTF_USUAL);
    size_t room = buffered ? output->capacity - output->end : 0;
    char *place = buffered ? output->ptr + output->end : NULL;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(place, room, format, args);
    va_end(args);
    CHECK(len >= 0);
    if ((size_t)len < room) {
        output->end += (size_t)len;
        return;
    }
    STR_AUTO struct str text = {0};
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    CHECK(str_ok(&text));
    stream_write(stream, str_view(&text));
}

bool stream_flush(struct stream *stream)
{
    if (stream->state != STREAM_OK) {
        return false;
    }
    return stream->output.end == 0 || flush_with(stream, view_of("", 0));
}
