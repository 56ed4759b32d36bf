/* SPDX-License-Identifier: MIT */
/*
 * One mail transaction, from MAIL to the end of data or RSET.
 *
 * Recipients are kept here and handed to cleanup with the content, because a later
 * recipient's restrictions may still redirect the whole message.  The queue ID comes
 * with the first good recipient (smtpd_delay_open_until_valid_rcpt).
 */
#ifndef SMTPD_MESSAGE_H
#define SMTPD_MESSAGE_H

#include "base/arena.h"
#include "rpc/submit.h"
#include "smtpd/data_filter.h"
#include "smtpd/session.h"

enum message_body { BODY_UNKNOWN, BODY_7BIT, BODY_8BITMIME };

struct message {
    struct arena arena;
    const char *sender; /* internal form; "": the null sender */
    int64_t arrival_time;
    enum message_body body;
    bool smtputf8;
    uint8_t ret; /* enum dsn_ret */
    struct view envid, auth_sender;
    struct queue_recipient *recipients;
    size_t recipient_count;
    int overshoot; /* refused for smtpd_recipient_limit */
    struct submit *submit;
    /* What access tables ask for. */
    bool hold, discard;
    struct view redirect; /* all recipients become this one */
    struct view *copies;
    size_t copy_count;
    struct str prepended; /* headers, each with its line end */
    /* Content. */
    struct data_filter filter;
    bool headed;          /* our own headers were written */
    bool recipients_sent; /* to cleanup */
    int64_t received;     /* bytes from the client */
    int64_t deadline;     /* for the content; 0: none yet */
};

/* MAIL was accepted. */
struct message *message_new(struct session *session, struct view sender);
/* The queue file, if there is one, disappears. */
void message_free(struct message **message);

/* Get a queue ID, if there is none yet; logs "ID: client=...".  False: cleanup cannot
 * take the message now (logged).  Waits. */
bool message_open(struct session *session);
void message_add_recipient(struct message *message,
                           const struct queue_recipient *recipient);
void message_add_copy(struct message *message, struct view address);
/* The recipient when there is exactly one, else "". */
const char *message_only_recipient(const struct message *message);
const char *message_first_recipient(const struct message *message);

/* Before the content: envelope, and the headers that belong on top.  False: cleanup is
 * gone.  May wait. */
void message_begin_content(struct session *session);
/* Content as cleanup wants it (lines end in LF).  May wait. */
void message_content(struct message *message, struct view data);
/* Ask cleanup to make the message durable.  RESULT tells; a discarded message is OK.
 * The submission is over afterwards.  Waits. */
void message_commit(struct session *session, struct submit_result *result);

#endif
