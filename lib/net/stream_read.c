/* SPDX-License-Identifier: MIT */
/*
 * Reading from a stream.  Lines and blocks are handed out as views into the input
 * buffer: they are moved only when the buffer must be compacted to receive more.
 *
 * The buffer grows with what has arrived, not with what a peer announces, so a
 * length that lies costs no memory.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream_private.h"

/* read(2) on whatever the stream stands on; *EVENTS is what to wait for on EAGAIN. */
static ssize_t read_once(struct stream *stream, char *data, size_t len,
                         unsigned *events)
{
    *events = TASK_READ;
    if (stream->filter.read != NULL) {
        return stream->filter.read(stream->filter.context, data, len, events);
    }
    if (stream->in.kind == CHANNEL_SOCKET) {
        return recv(stream->in.fd, data, len, MSG_DONTWAIT);
    }
    return read(stream->in.fd, data, len);
}

/* Room to read into: more than before when the last read filled what there was. */
static void make_room(struct stream *stream)
{
    struct buffer *input = &stream->input;
    size_t used = buffer_used(input);
    if (used == 0 && input->capacity > BUFFER_KEEP_MOST) {
        buffer_free(input);
    }
    size_t capacity = input->capacity;
    bool was_filled = capacity > 0 && input->end == capacity;
    if (capacity == 0) {
        capacity = BUFFER_FIRST;
    } else if (used == capacity || (was_filled && capacity < BUFFER_READ_MOST)) {
        capacity *= 2;
    }
    buffer_reserve(input, capacity);
    CHECK(input->end < input->capacity);
}

enum attempt { ATTEMPT_DONE, ATTEMPT_AGAIN, ATTEMPT_ENDED };

/* One read into the buffer that has room. */
static enum attempt try_fill(struct stream *stream, unsigned *events)
{
    struct buffer *input = &stream->input;
    ssize_t got = read_once(stream, input->ptr + input->end,
                            input->capacity - input->end, events);
    if (got > 0) {
        size_t room = input->capacity - input->end;
        CHECK((size_t)got <= room);
        input->end += (size_t)got;
        stream->in.drained = (size_t)got < room;
        return ATTEMPT_DONE;
    }
    if (got == 0) {
        stream_end(stream, STREAM_EOF, 0);
        return ATTEMPT_ENDED;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return ATTEMPT_AGAIN;
    }
    stream_io_failed(stream, errno);
    return ATTEMPT_ENDED;
}

/* An idle peer costs no buffer: one that is empty and small is given back meanwhile. */
static void drop_empty_buffer(struct stream *stream)
{
    struct buffer *input = &stream->input;
    if (buffer_used(input) == 0 && input->capacity <= BUFFER_FIRST) {
        buffer_free(input);
    }
}

static bool await_without_buffer(struct stream *stream, unsigned events, int64_t limit)
{
    drop_empty_buffer(stream);
    bool ready = stream_await(stream, events, limit);
    make_room(stream);
    return ready;
}

/* A socket that gave less than was asked for has no more, and says so by an edge when
 * it has again (epoll(7)).  What the edge of its end has told already does not come
 * twice; and without a loop there are no edges. */
static bool is_drained(struct stream *stream)
{
    struct channel *in = &stream->in;
    bool drained = in->drained && in->kind == CHANNEL_SOCKET && in->io_started &&
                   !in->io.closed && stream->filter.read == NULL &&
                   task_current() != NULL;
    in->drained = false;
    return drained;
}

/* Receive at least one more byte.  Waits.  False with the state set. */
static bool fill(struct stream *stream)
{
    if (stream->state != STREAM_OK || !stream_in_time(stream)) {
        return false;
    }
    const int64_t limit = stream_wait_limit(stream); /* of all waits together */
    if (is_drained(stream)) {
        drop_empty_buffer(stream);
        if (!stream_await_drained(stream, limit)) {
            return false;
        }
    }
    make_room(stream);
    bool wait_first =
        stream->in.kind == CHANNEL_BLOCKING && stream->filter.read == NULL;
    if (wait_first && !stream_await(stream, TASK_READ, limit)) {
        return false;
    }
    for (;;) {
        unsigned events;
        switch (try_fill(stream, &events)) {
        case ATTEMPT_DONE:
            return true;
        case ATTEMPT_ENDED:
            return false;
        case ATTEMPT_AGAIN:
            break;
        }
        if (errno != EINTR && !await_without_buffer(stream, events, limit)) {
            return false;
        }
    }
}

/* The next LEN bytes leave the buffer. */
static struct view take(struct stream *stream, size_t len)
{
    struct buffer *input = &stream->input;
    CHECK(len <= buffer_used(input));
    struct view taken = view_of(len > 0 ? input->ptr + input->start : "", len);
    input->start += len;
    stream->scanned = 0;
    return taken;
}

/*
 * Look for a line of at most MAX bytes in what has arrived: 0 if more is needed,
 * else the number of bytes it takes with its line end; *LEN_OUT is without.
 */
static size_t find_line(struct stream *stream, size_t max, size_t *len_out,
                        bool *had_lf_out)
{
    size_t used = buffer_used(&stream->input);
    if (used == 0) {
        return 0;
    }
    const char *text = stream->input.ptr + stream->input.start;
    /* A line that fits has its LF within MAX bytes plus CR LF. */
    size_t window = max < used && used - max > 2 ? max + 2 : used;
    const char *lf = stream->scanned < window ? memchr(text + stream->scanned, '\n',
                                                       window - stream->scanned)
                                              : NULL;
    if (lf != NULL) {
        size_t at = (size_t)(lf - text);
        size_t len = at > 0 && lf[-1] == '\r' ? at - 1 : at;
        if (len <= max) {
            *len_out = len;
            *had_lf_out = true;
            return at + 1;
        }
    }
    stream->scanned = lf != NULL ? stream->scanned : window;
    bool may_still_fit = used <= max || (used == max + 1 && text[max] == '\r');
    if (may_still_fit) {
        return 0;
    }
    *len_out = max;
    *had_lf_out = false;
    return max;
}

bool stream_read_line(struct stream *stream, size_t max, struct view *line_out,
                      bool *had_lf_out)
{
    CHECK(max > 0);
    bool had_lf = false;
    size_t len = 0;
    size_t whole = 0;
    *line_out = view_of("", 0);
    if (stream->state != STREAM_OK) {
        return false;
    }
    while ((whole = find_line(stream, max, &len, &had_lf)) == 0) {
        if (fill(stream)) {
            continue;
        }
        /* The peer left in the middle of a line; at most a lone CR is above MAX. */
        whole = buffer_used(&stream->input);
        if (stream->state != STREAM_EOF || stream->error != 0 || whole == 0) {
            return false;
        }
        len = whole < max ? whole : max;
        break;
    }
    *line_out = view_first(take(stream, whole), len);
    if (had_lf_out != NULL) {
        *had_lf_out = had_lf;
    }
    return true;
}

bool stream_read_exact(struct stream *stream, size_t len, struct view *data_out)
{
    *data_out = view_of("", 0);
    if (stream->state != STREAM_OK) {
        return false;
    }
    while (buffer_used(&stream->input) < len) {
        if (!fill(stream)) {
            return false;
        }
    }
    *data_out = take(stream, len);
    return true;
}

bool stream_peek_some(struct stream *stream, struct view *data_out)
{
    *data_out = view_of("", 0);
    if (stream->state != STREAM_OK) {
        return false;
    }
    if (buffer_used(&stream->input) == 0 && !fill(stream)) {
        return false;
    }
    struct buffer *input = &stream->input;
    *data_out = view_of(input->ptr + input->start, buffer_used(input));
    return true;
}

void stream_consume(struct stream *stream, size_t len)
{
    (void)take(stream, len);
}

size_t stream_pending(const struct stream *stream)
{
    return stream->state == STREAM_OK ? buffer_used(&stream->input) : 0;
}

bool stream_readable_now(struct stream *stream)
{
    if (stream->state != STREAM_OK || buffer_used(&stream->input) > 0) {
        return true;
    }
    if (stream->filter.read != NULL) {
        /* What the kernel has may be half a TLS record, so only a read can tell. */
        unsigned events;
        make_room(stream);
        return try_fill(stream, &events) != ATTEMPT_AGAIN;
    }
    struct pollfd poll_in = {.fd = stream->in.fd, .events = POLLIN};
    return poll(&poll_in, 1, 0) == 1;
}

void stream_discard_input(struct stream *stream)
{
    stream->input.start = stream->input.end = 0;
    stream->scanned = 0;
}
