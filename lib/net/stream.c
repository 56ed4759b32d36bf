/* SPDX-License-Identifier: MIT */
/*
 * The life of a stream: its descriptors, its sticky state and its waits.  Reading
 * is in stream_read.c, writing in stream_write.c.
 *
 * Every wait of a stream happens in stream_await(), after an attempt that gave
 * EAGAIN (the loop is edge-triggered).  The exception are pipes and terminals that
 * we must not make non-blocking: they are waited for before each attempt.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/stream_private.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { DRAINED_RECHECK = 1 * CLOCK_SECOND };

/* --- buffers ---------------------------------------------------------------- */

void buffer_reserve(struct buffer *buffer, size_t capacity)
{
    if (buffer->start == buffer->end) {
        buffer->start = buffer->end = 0;
    }
    if (buffer->capacity - buffer->start >= capacity) {
        return;
    }
    if (buffer->start > 0) {
        memmove(buffer->ptr, buffer->ptr + buffer->start, buffer_used(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->capacity < capacity) {
        buffer->ptr = xrealloc(buffer->ptr, capacity);
        buffer->capacity = capacity;
    }
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->ptr);
    *buffer = (struct buffer){0};
}

/* --- life --------------------------------------------------------------------- */

static enum channel_kind channel_kind_of(int fd, bool ours)
{
    struct stat st = {0};
    if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
        return CHANNEL_SOCKET;
    }
    if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd))) {
        return ours ? CHANNEL_NONBLOCKING : CHANNEL_BLOCKING;
    }
    return CHANNEL_FILE;
}

static struct stream *new_stream(void)
{
    struct stream *stream = xcalloc(1, sizeof(*stream));
    stream->timeout = CLOCK_NEVER;
    stream->deadline = CLOCK_NEVER;
    stream->separate_out.fd = -1;
    return stream;
}

struct stream *stream_new(int fd)
{
    CHECK(fd >= 0);
    struct stream *stream = new_stream();
    stream->owns_fd = true;
    stream->in.fd = fd;
    stream->in.kind = channel_kind_of(fd, true);
    CHECK(fd_set_nonblocking(fd, true));
    return stream;
}

struct stream *stream_new_pair(int in_fd, int out_fd)
{
    CHECK(in_fd >= 0 && out_fd >= 0);
    struct stream *stream = new_stream();
    stream->in.fd = in_fd;
    stream->in.kind = channel_kind_of(in_fd, false);
    if (out_fd != in_fd) {
        stream->separate_out.fd = out_fd;
        stream->separate_out.kind = channel_kind_of(out_fd, false);
    }
    return stream;
}

static void close_filter(struct stream *stream)
{
    struct stream_filter filter = stream->filter;
    stream->filter = (struct stream_filter){0};
    if (filter.close != NULL) {
        filter.close(filter.context);
    }
}

static void channel_done(struct channel *channel)
{
    if (channel->io_started) {
        task_io_done(&channel->io);
        channel->io_started = false;
    }
}

void stream_free(struct stream **stream)
{
    struct stream *s = *stream;
    if (s == NULL) {
        return;
    }
    *stream = NULL;
    close_filter(s);
    channel_done(&s->in);
    channel_done(&s->separate_out);
    if (s->owns_fd) {
        fd_close(&s->in.fd);
    }
    buffer_free(&s->input);
    buffer_free(&s->output);
    free(s);
}

int stream_fd(const struct stream *stream)
{
    return stream->in.fd;
}

void stream_set_filter(struct stream *stream, const struct stream_filter *filter)
{
    CHECK(buffer_used(&stream->output) == 0 || stream->state != STREAM_OK);
    CHECK((filter->read == NULL) == (filter->write == NULL));
    close_filter(stream);
    stream->filter = *filter;
}

void stream_trim(struct stream *stream)
{
    if (buffer_used(&stream->input) == 0) {
        buffer_free(&stream->input);
        stream->scanned = 0;
    }
    if (buffer_used(&stream->output) == 0) {
        buffer_free(&stream->output);
    }
}

/* --- state -------------------------------------------------------------------- */

void stream_set_timeout(struct stream *stream, int64_t microseconds)
{
    CHECK(microseconds >= 0);
    stream->timeout = microseconds;
}

void stream_set_deadline(struct stream *stream, int64_t deadline)
{
    stream->deadline = deadline;
}

enum stream_state stream_state(const struct stream *stream)
{
    return stream->state;
}

bool stream_ok(const struct stream *stream)
{
    return stream->state == STREAM_OK;
}

int stream_errno(const struct stream *stream)
{
    return stream->error;
}

const char *stream_problem(const struct stream *stream)
{
    switch (stream->state) {
    case STREAM_OK:
        return "no problem";
    case STREAM_EOF:
        return "lost connection";
    case STREAM_TIMEOUT:
        return "Connection timed out";
    case STREAM_CANCELLED:
        return "session ended by the server";
    case STREAM_ERROR:
        break;
    }
    return strerror(stream->error);
}

void stream_end(struct stream *stream, enum stream_state state, int error)
{
    CHECK(state != STREAM_OK);
    if (stream->state == STREAM_OK) {
        stream->state = state;
        stream->error = error;
    }
}

void stream_io_failed(struct stream *stream, int error)
{
    bool left = error == ECONNRESET || error == EPIPE;
    stream_end(stream, left ? STREAM_EOF : STREAM_ERROR, error);
}

void stream_fail(struct stream *stream, int error)
{
    CHECK(error != 0);
    stream_end(stream, STREAM_ERROR, error);
}

void stream_abandon(struct stream *stream)
{
    stream->state = STREAM_EOF;
    stream->output.start = stream->output.end = 0;
}

void stream_clear_timeout(struct stream *stream)
{
    if (stream->state == STREAM_TIMEOUT || stream->state == STREAM_CANCELLED) {
        stream->state = STREAM_OK;
        stream->output.start = stream->output.end = 0;
    }
}

/* --- waiting ------------------------------------------------------------------ */

bool stream_in_time(struct stream *stream)
{
    if (stream->deadline != CLOCK_NEVER && clock_now() >= stream->deadline) {
        stream_end(stream, STREAM_TIMEOUT, 0);
        return false;
    }
    return true;
}

int64_t stream_wait_limit(const struct stream *stream)
{
    if (stream->timeout == CLOCK_NEVER) {
        return stream->deadline;
    }
    int64_t now = clock_now();
    int64_t limit =
        stream->timeout < CLOCK_NEVER - now ? now + stream->timeout : CLOCK_NEVER;
    return limit < stream->deadline ? limit : stream->deadline;
}

static enum task_result await_channel(struct channel *channel, unsigned events,
                                      int64_t deadline)
{
    if (channel->kind == CHANNEL_BLOCKING || channel->kind == CHANNEL_FILE) {
        return task_wait(channel->fd, events, deadline);
    }
    if (!channel->io_started) {
        task_io_init(&channel->io, channel->fd);
        channel->io_started = true;
    }
    return task_io_wait(&channel->io, events, deadline);
}

static bool take_result(struct stream *stream, enum task_result result)
{
    switch (result) {
    case TASK_READY:
        return true;
    case TASK_TIMEOUT:
        stream_end(stream, STREAM_TIMEOUT, 0);
        break;
    case TASK_CANCELLED:
        stream_end(stream, STREAM_CANCELLED, 0);
        break;
    }
    return false;
}

bool stream_await(struct stream *stream, unsigned events, int64_t limit)
{
    CHECK(events == TASK_READ || events == TASK_WRITE);
    struct channel *channel = events == TASK_READ ? &stream->in : stream_out(stream);
    return take_result(stream, await_channel(channel, events, limit));
}

bool stream_await_drained(struct stream *stream, int64_t limit)
{
    int64_t recheck = clock_now() + DRAINED_RECHECK;
    if (limit <= recheck) {
        return stream_await(stream, TASK_READ, limit);
    }
    enum task_result result = await_channel(&stream->in, TASK_READ, recheck);
    return take_result(stream, result == TASK_TIMEOUT ? TASK_READY : result);
}

bool stream_wait(struct stream *stream, unsigned events)
{
    return stream->state == STREAM_OK && stream_in_time(stream) &&
           stream_await(stream, events, stream_wait_limit(stream));
}
