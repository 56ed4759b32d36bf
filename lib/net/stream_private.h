/* SPDX-License-Identifier: MIT */
/* What stream.c, stream_read.c and stream_write.c share; nobody else includes this. */
#ifndef NET_STREAM_PRIVATE_H
#define NET_STREAM_PRIVATE_H

#include "net/stream.h"
#include "task/task.h"

enum channel_kind {
    CHANNEL_SOCKET,      /* send and recv with MSG_DONTWAIT */
    CHANNEL_NONBLOCKING, /* our own pipe or terminal: O_NONBLOCK is set */
    CHANNEL_BLOCKING,    /* somebody else's pipe or terminal: wait first */
    CHANNEL_FILE         /* always ready; epoll would refuse it */
};

/* One direction; both directions of a socket use the same struct channel. */
struct channel {
    int fd;
    enum channel_kind kind;
    bool io_started; /* registered with the loop at the first wait */
    /* The last read took all there was: another one before the loop reports something
     * new would end in EAGAIN. */
    bool drained;
    struct task_io io;
};

/* Bytes START..END of PTR are live; PTR is NULL until the first use. */
struct buffer {
    char *ptr;
    size_t start, end, capacity;
};

enum {
    BUFFER_FIRST = 4 * 1024,
    BUFFER_READ_MOST = 64 * 1024,  /* read-ahead; longer only for what is asked for */
    BUFFER_WRITE_MOST = 32 * 1024, /* longer writes go straight through */
    BUFFER_KEEP_MOST = 256 * 1024  /* an empty buffer above this is given back */
};

struct stream {
    struct channel in;
    struct channel separate_out; /* of a pair; fd -1 when IN serves both directions */
    bool owns_fd;
    enum stream_state state;
    int error;
    int64_t timeout;
    int64_t deadline;
    struct buffer input;
    size_t scanned; /* bytes of INPUT known to hold no LF */
    struct buffer output;
    struct stream_filter filter;
};

static inline struct channel *stream_out(struct stream *stream)
{
    return stream->separate_out.fd >= 0 ? &stream->separate_out : &stream->in;
}

static inline size_t buffer_used(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* Make room for CAPACITY bytes from START on. */
void buffer_reserve(struct buffer *buffer, size_t capacity);
void buffer_free(struct buffer *buffer);

/* The stream leaves STREAM_OK; the first reason stays. */
void stream_end(struct stream *stream, enum stream_state state, int error);
/* A system call failed with ERROR. */
void stream_io_failed(struct stream *stream, int error);
/* False, with the state set, when the stream's deadline has passed. */
bool stream_in_time(struct stream *stream);
/* How long a wait that begins now may take (clock_now() scale). */
int64_t stream_wait_limit(const struct stream *stream);
/* Wait for EVENTS until LIMIT; false with the state set. */
bool stream_await(struct stream *stream, unsigned events, int64_t limit);
/* Wait for input of a drained socket.  True: try to read, even if nothing has been
 * reported for a second (data and a reset that come together make one edge). */
bool stream_await_drained(struct stream *stream, int64_t limit);

#endif
