/* SPDX-License-Identifier: MIT */
/*
 * A buffered byte stream on a socket.  Reads and writes wait (in a fiber) or
 * block (outside).  Trouble is sticky: after a time-out, an error, end of file or
 * cancellation every read gives nothing and every write does nothing, so callers
 * ask stream_ok() once per step.  A peer that resets the connection has left: that is
 * STREAM_EOF, with stream_errno() telling the difference (0: orderly).
 *
 * SIGPIPE is never raised by sockets; who writes to pipes ignores the signal.
 *
 * Deadlines: stream_set_timeout() gives each wait at most that long;
 * stream_set_deadline() adds a point in time for everything up to it.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/view.h"

enum stream_state {
    STREAM_OK,
    STREAM_EOF,
    STREAM_TIMEOUT,
    STREAM_ERROR,
    STREAM_CANCELLED
};

struct stream;

/* Takes FD over (non-blocking from now on); stream_free() closes it. */
struct stream *stream_new(int fd);
/* Two descriptors (standard input and output); neither is closed, and neither is made
 * non-blocking, because other processes may share them. */
struct stream *stream_new_pair(int in_fd, int out_fd);
/* Does not flush. */
void stream_free(struct stream **stream);
int stream_fd(const struct stream *stream);

void stream_set_timeout(struct stream *stream, int64_t microseconds);
void stream_set_deadline(struct stream *stream,
                         int64_t deadline); /* CLOCK_NEVER: none */
enum stream_state stream_state(const struct stream *stream);
bool stream_ok(const struct stream *stream);
int stream_errno(const struct stream *stream); /* of STREAM_ERROR, or 0 */
/* "Connection timed out", "lost connection", or the errno text. */
const char *stream_problem(const struct stream *stream);
/* Put an OK stream into STREAM_ERROR with ERROR (an errno): the peer broke the
 * protocol. */
void stream_fail(struct stream *stream, int error);
/* The stream counts as left by its peer from now on, whatever it was before: what was
 * under way on it cannot be finished, not even by a farewell. */
void stream_abandon(struct stream *stream);
/* After STREAM_TIMEOUT or STREAM_CANCELLED: usable again, for a farewell such as SMTP's
 * 421; unsent output is dropped.  EOF and ERROR stay. */
void stream_clear_timeout(struct stream *stream);

/* One line without its LF or CRLF; *HAD_LF_OUT (may be NULL) is false when the
 * line was cut at MAX bytes (the rest follows as the next "line") or by end of
 * file (then the state is STREAM_EOF).  The view is valid until the next read.  False:
 * nothing more.  Waits. */
bool stream_read_line(struct stream *stream, size_t max, struct view *line_out,
                      bool *had_lf_out);
/* Exactly LEN bytes, contiguous, valid until the next read.  Waits. */
bool stream_read_exact(struct stream *stream, size_t len, struct view *data_out);
/* What is there, at least one byte unless the stream ends.  Waits.  Use
 * stream_consume() for what was used up. */
bool stream_peek_some(struct stream *stream, struct view *data_out);
void stream_consume(struct stream *stream, size_t len);
/* Bytes that were received and not read yet (no system call). */
size_t stream_pending(const struct stream *stream);
/* True if a read would not wait (asks the kernel). */
bool stream_readable_now(struct stream *stream);
/* Throw away what was received and not read (before STARTTLS). */
void stream_discard_input(struct stream *stream);

/* Buffered; large data goes straight from the caller's memory.  May wait. */
void stream_write(struct stream *stream, struct view data);
void stream_write_cstr(struct stream *stream, const char *text);
void stream_printf(struct stream *stream, const char *format, ...) PRINTF_LIKE(2, 3);
/* Send all that is buffered.  Waits.  False when the stream is not OK. */
bool stream_flush(struct stream *stream);
/* Free the buffers while nothing is in them (idle connections); views from reads end.
 */
void stream_trim(struct stream *stream);

/* Wait until the descriptor is ready for EVENTS (TASK_READ or TASK_WRITE), for filters
 * that shake hands before they are put in place.  False with the state set.  Waits. */
bool stream_wait(struct stream *stream, unsigned events);
/* Put a filter (TLS) between buffers and descriptor; NULL functions restore the
 * plain descriptor.  READ and WRITE are like read(2)/write(2); on EAGAIN they set
 * *EVENTS (TASK_READ or TASK_WRITE) to what must be waited for.  CLOSE is called when
 * the filter is replaced and by stream_free().  Output must have been flushed before.
 */
struct stream_filter {
    void *context;
    long (*read)(void *context, void *data, size_t len, unsigned *events);
    long (*write)(void *context, const void *data, size_t len, unsigned *events);
    void (*close)(void *context);
};
void stream_set_filter(struct stream *stream, const struct stream_filter *filter);

#endif
