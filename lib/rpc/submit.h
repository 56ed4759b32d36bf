/* SPDX-License-Identifier: MIT */
/*
 * Handing a message to cleanup: smtpd, pickup, local (forwarding) and bounce.
 * The connection is kept and reused.  The queue file is on disk (fsync) before
 * submit_finish() says SUBMIT_OK, and the queue manager has been told.
 */
#ifndef RPC_SUBMIT_H
#define RPC_SUBMIT_H

#include "base/err.h"
#include "base/view.h"
#include "conf/conf.h"
#include "mail/queue_dir.h"
#include "mail/queue_file.h"

enum submit_flags {
    SUBMIT_LOCAL_CONTEXT = 1, /* complete headers and addresses as for local clients */
    SUBMIT_INTERNAL = 2,      /* our own notice or forward: no content checks */
    SUBMIT_MAP = 4,           /* canonical and virtual alias mapping, always_bcc */
    SUBMIT_HOLD = 8,          /* into the hold queue */
    SUBMIT_AHEAD = 16 /* after a message that was taken the server opens the next one:
                         'o' follows 'e', and the next 'O' gets no answer */
};

enum submit_status {
    SUBMIT_OK,
    SUBMIT_TOO_BIG,       /* message_size_limit */
    SUBMIT_TOO_MANY_HOPS, /* hopcount_limit */
    SUBMIT_REJECTED,      /* content; text and dsn say why */
    SUBMIT_NO_RECIPIENTS,
    SUBMIT_BAD_ADDRESS,  /* extraction found a malformed address list */
    SUBMIT_ALIAS_ERROR,  /* virtual expansion too deep or too large: try again later */
    SUBMIT_LOOKUP_ERROR, /* a table failed: try again later */
    SUBMIT_WRITE_ERROR,  /* queue file */
    SUBMIT_LOST          /* cleanup went away: try again later */
};
struct submit_result {
    enum submit_status status;
    char dsn[12];
    char text[400];
    int64_t size; /* content bytes in the queue file */
};

struct submit_client; /* connections to one cleanup service, kept between messages */
/* CONF's cleanup_service_name unless SERVICE is given; must outlive its messages. */
struct submit_client *submit_client_new(const struct conf *conf, const char *service);
/* For a client that sends one message after the other: the answer to one brings the
 * queue ID of the next, which then costs no question of its own. */
void submit_client_expect_more(struct submit_client *client);
/* Messages go into maildrop/ through postdrop, whether or not the mail system runs:
 * sendmail, and smtpd -S.  Flags must be 0. */
struct submit_client *submit_client_new_postdrop(const struct conf *conf);
void submit_client_free(struct submit_client **client);

struct submit; /* one message on its way */
/* Get a connection and a queue ID.  Waits.  NULL with ERR. */
struct submit *submit_begin(struct submit_client *client, unsigned flags,
                            struct err *err);
const char *submit_queue_id(const struct submit *submit);
/* Envelope, in the order of the queue file; content; then records again (late
 * recipients). */
void submit_set_file_flags(struct submit *submit, unsigned queue_file_flags);
void submit_arrival_time(struct submit *submit, int64_t wall_time); /* default: now */
void submit_attribute(struct submit *submit, const char *name, struct view value);
void submit_sender(struct submit *submit, struct view sender);
void submit_fullname(struct submit *submit, struct view name);
void submit_recipient(struct submit *submit, const struct queue_recipient *recipient);
/* Message bytes, lines ending in LF.  May wait. */
void submit_content(struct submit *submit, struct view data);
/* Ask for the commit and wait for the answer.  Frees SUBMIT. */
void submit_finish(struct submit *submit, struct submit_result *result_out);
/* The message goes into the hold queue: SUBMIT_HOLD, decided later.  Not through
 * postdrop. */
void submit_hold(struct submit *submit);
/* Drop the message; the queue file disappears.  Frees SUBMIT. */
void submit_abort(struct submit *submit);
/* True while cleanup has not reported trouble (size limit): a sender may stop early. */
bool submit_ok(struct submit *submit);

/* --- wire, for cleanup itself (frame kinds) ------------------------------- */
enum submit_frame {
    SUBMIT_FRAME_OPEN = 'O',       /* u64 flags   -> OPENED (see SUBMIT_AHEAD) */
    SUBMIT_FRAME_OPENED = 'o',     /* u8 ok, queue ID or error text */
    SUBMIT_FRAME_ARRIVAL = 'T',    /* u64 */
    SUBMIT_FRAME_FILE_FLAGS = 'G', /* u64 */
    SUBMIT_FRAME_ATTRIBUTE = 'A',  /* name, value */
    SUBMIT_FRAME_SENDER = 'S',     /* address */
    SUBMIT_FRAME_FULLNAME = 'F',   /* text */
    SUBMIT_FRAME_RECIPIENT = 'R',  /* address, original, dsn_orcpt, u8 notify */
    SUBMIT_FRAME_CONTENT = 'C',    /* bytes (one view) */
    SUBMIT_FRAME_FINISH = 'E',     /*                                     -> RESULT */
    SUBMIT_FRAME_ABORT = 'X',      /* no answer */
    SUBMIT_FRAME_HOLD = 'H',       /* no answer */
    SUBMIT_FRAME_RESULT = 'e' /* u8 status, dsn, text, u64 size; may come before FINISH
                                 was sent when the message cannot succeed any more */
};

#endif
