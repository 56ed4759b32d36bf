/* SPDX-License-Identifier: MIT */
/*
 * The queue file (docs/queue-file.md): a fixed header, envelope records, the
 * message content as raw bytes (lines end in LF) in one extent, and records that
 * were learned after the content.  A file is complete when its header carries
 * valid sums; anything else is not a message.  Only recipient states and the
 * state word of the header are ever changed afterwards, in place.
 */
#ifndef MAIL_QUEUE_FILE_H
#define MAIL_QUEUE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/view.h"

enum recipient_state {
    RECIPIENT_PENDING = 0,
    RECIPIENT_DONE = 'D', /* delivered, or bounced and recorded in the bounce log */
};

enum dsn_notify { /* RFC 3461 NOTIFY; 0: not given */
                  DSN_NOTIFY_NEVER = 1,
                  DSN_NOTIFY_SUCCESS = 2,
                  DSN_NOTIFY_FAILURE = 4,
                  DSN_NOTIFY_DELAY = 8
};
enum dsn_ret { DSN_RET_NONE = 0, DSN_RET_FULL, DSN_RET_HDRS };

/* Immutable properties of a message. */
enum queue_file_flags {
    QUEUE_FILE_SMTPUTF8 = 1,     /* SMTPUTF8 was requested or is needed */
    QUEUE_FILE_8BITMIME = 2,     /* BODY=8BITMIME */
    QUEUE_FILE_7BIT = 4,         /* BODY=7BIT */
    QUEUE_FILE_VERIFY_ONLY = 8,  /* sendmail -bv: report, do not deliver */
    QUEUE_FILE_RECORD_TRACE = 16 /* sendmail -v: report every delivery */
};
/* Changeable afterwards, in place. */
enum queue_file_state { QUEUE_STATE_FORCE_EXPIRE = 1, QUEUE_STATE_WARNED = 2 };

struct queue_recipient {
    struct view address;
    struct view original;  /* as the client gave it; empty: unknown */
    struct view dsn_orcpt; /* "rfc822;user@host", decoded from xtext; empty: none */
    uint8_t dsn_notify;
    uint8_t state;        /* enum recipient_state */
    int64_t state_offset; /* file offset of the state byte; 0 while being written */
};

struct queue_attribute {
    struct view name, value;
};

/* One envelope record in file order (for postcat and for passing a message on). */
enum queue_record_type {
    QUEUE_RECORD_SENDER = 'S',
    QUEUE_RECORD_RECIPIENT = 'R',
    QUEUE_RECORD_ATTRIBUTE = 'A',
    QUEUE_RECORD_FULLNAME = 'F'
};
struct queue_record {
    enum queue_record_type type;
    bool after_content;
    struct view text;                 /* sender or full name */
    struct queue_attribute attribute; /* ATTRIBUTE */
    struct queue_recipient recipient; /* RECIPIENT */
};

/* A message as read; all views lie in the arena given to the reader. */
struct queue_message {
    unsigned flags;                    /* enum queue_file_flags */
    unsigned state;                    /* enum queue_file_state */
    int64_t arrival_time, create_time; /* microseconds since 1970 */
    struct view sender, fullname;
    struct queue_record *records;
    size_t record_count;
    size_t recipient_count;    /* all */
    size_t recipients_pending; /* not done */
    int64_t content_offset, content_size;
    int64_t file_size;
    uint64_t content_sum;
};

/* Value of attribute NAME, or the empty view. */
struct view queue_message_attribute(const struct queue_message *message,
                                    const char *name);

/* --- reading ------------------------------------------------------------ */

/* Read and verify everything but the content's sum.  PERMFAIL: damaged, or its writer
 * died before the commit (the caller moves it to corrupt/ or, if it is empty, removes
 * it).  TEMPFAIL: could not be read; with code EAGAIN somebody is still writing it.
 * Writers hold flock(LOCK_EX) from queue_create() to the commit; a caller may hold a
 * lock of its own on FD. */
NODISCARD enum outcome queue_file_read(int fd, struct arena *arena,
                                       struct queue_message *message, struct err *err);
/* The same from memory: HEAD is the file up to the content, TAIL what follows the
 * content.  PERMFAIL: not what a writer has made. */
NODISCARD enum outcome queue_envelope_parse(struct view head, struct view tail,
                                            struct arena *arena,
                                            struct queue_message *message,
                                            struct err *err);

/* The same in two steps, for those who read many files: getting the bytes takes system
 * calls only, so a pool thread may do it (task_offload); understanding them takes
 * none. */
enum { QUEUE_FILE_START_BYTES = 4096, QUEUE_FILE_TAIL_BYTES = 256 };
struct queue_file_start {
    int error;    /* errno of a failure, or 0; then nothing below is valid */
    bool regular; /* a plain file */
    int64_t size; /* of the file */
    size_t len;   /* of BYTES */
    size_t tail_len;
    unsigned char bytes[QUEUE_FILE_START_BYTES]; /* where the file begins */
    /* Records that lie behind a long content, if there are only a few bytes of them. */
    unsigned char tail[QUEUE_FILE_TAIL_BYTES];
};
void queue_file_read_start(int fd, struct queue_file_start *start_out);
/* As queue_file_read().  FD may be -1: then a file whose records do not all lie in
 * START is TEMPFAIL with code ENODATA, and one that is not complete with code EAGAIN.
 */
NODISCARD enum outcome queue_file_parse(int fd, const struct queue_file_start *start,
                                        struct arena *arena,
                                        struct queue_message *message, struct err *err);
/* Check the content against its sum (delivery agents, once per message). */
NODISCARD enum outcome
queue_file_verify_content(int fd, const struct queue_message *message, struct err *err);
/* The same when the content is in memory. */
bool queue_content_matches(struct view content, uint64_t sum);
/* One byte, in place, not synced. */
NODISCARD bool queue_file_mark_done(int fd, int64_t state_offset);
NODISCARD bool queue_file_set_state(int fd, unsigned state);
/* The state word alone; false when FD is no complete queue file. */
NODISCARD bool queue_file_get_state(int fd, unsigned *state_out);

/* --- writing ------------------------------------------------------------ */

/* Builds a file: begin; records; content; more records; commit.  Small messages are
 * kept in memory and written with one call. */
struct queue_writer;
/* Takes FD (an empty file open for reading and writing) over. */
struct queue_writer *queue_writer_new(int fd, int64_t arrival_time);
void queue_writer_free(struct queue_writer **writer); /* closes the file */
void queue_writer_set_flags(struct queue_writer *writer, unsigned flags); /* ORed in */
void queue_writer_sender(struct queue_writer *writer, struct view sender);
void queue_writer_fullname(struct queue_writer *writer, struct view name);
void queue_writer_attribute(struct queue_writer *writer, const char *name,
                            struct view value);
void queue_writer_recipient(struct queue_writer *writer,
                            const struct queue_recipient *recipient);
/* Switches to content at the first call. */
void queue_writer_content(struct queue_writer *writer, struct view data);
int64_t queue_writer_content_size(const struct queue_writer *writer);
int64_t queue_writer_size(const struct queue_writer *writer);
size_t queue_writer_recipients(const struct queue_writer *writer);
/* Write what is left and the header: the file's bytes are all there.  Errors of earlier
 * steps are sticky and reported here. */
NODISCARD enum outcome queue_writer_complete(struct queue_writer *writer,
                                             struct err *err);
int queue_writer_fd(const struct queue_writer *writer);
/* Complete the file, if that has not been done; SYNC: fsync (waits, through the offload
 * pool). After OK the file is closed and unlocked: it may be announced. */
NODISCARD enum outcome queue_writer_commit(struct queue_writer *writer, bool sync,
                                           struct err *err);
/* After the commit: the file's bytes before and after the content, as
 * queue_envelope_parse() takes them.  False: the message was too large to be kept. */
bool queue_writer_envelope(const struct queue_writer *writer, struct view *head_out,
                           struct view *tail_out);

#endif
