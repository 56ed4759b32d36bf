/* SPDX-License-Identifier: MIT */
/*
 * The SMTP client: many deliveries at once, a fiber each.  A delivery walks the
 * addresses of its next hop until every recipient has a final answer.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include <stdbool.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "mail/delivery_status.h"
#include "net/address.h"
#include "net/stream.h"
#include "rpc/deliver.h"
#include "rpc/deliver_agent.h"
#include "sys/clock.h"

struct smtp {
    const struct conf *conf;
    struct queue_dirs *dirs;
    unsigned families; /* enum dns_lookup_flags */
};

/* One server to try. */
struct target {
    char *host; /* name or literal, for the log */
    struct net_address address;
    unsigned preference;
};
struct targets {
    struct target *list;
    size_t count;
    /* When the list is empty: why. */
    enum outcome outcome;
    struct err err;
};

/* target.c: the servers of NEXTHOP ("[host]:port", "domain", several with commas), best
 * first. Waits. */
void targets_find(const struct smtp *smtp, struct view nexthop, struct arena *arena,
                  struct targets *out);

/* One delivery request in progress. */
struct delivery {
    const struct smtp *smtp;
    const struct deliver_request *request;
    struct arena *arena;
    int fd; /* queue file */
    struct delivery_times times;
    struct deliver_outcome *outcomes;
    bool *finished; /* per recipient: has its outcome */
    size_t unfinished;
    bool last_target; /* temporary failures are final now */
    struct deliver_reply *reply;
};

/* A reply of the server. */
struct smtp_reply {
    int code;         /* 0: none (the connection broke) */
    struct view text; /* all lines joined by spaces, with codes */
    char dsn[12];
};

enum smtp_feature {
    SMTP_PIPELINING = 1,
    SMTP_SIZE = 2,
    SMTP_8BITMIME = 4,
    SMTP_DSN = 8,
    SMTP_UTF8 = 16
};

struct session {
    struct delivery *delivery;
    const struct target *target;
    struct stream *stream;
    unsigned features;
    int64_t size_limit; /* of SIZE; 0: none */
    bool broken;        /* the connection is of no use any more */
    char relay[272];    /* "host[addr]:port" */
    char peer[256];     /* "host[addr]" */
};

/* session.c: connect, greeting, EHLO.  False: not this server; recorded in
 * delivery->reply as the site's trouble.  Waits. */
bool session_open(struct session *session, struct delivery *delivery,
                  const struct target *target);
void session_close(struct session *session, bool quit);

/* reply.c: read one reply.  False: the connection broke.  Waits. */
bool reply_read(struct session *session, struct arena *arena, struct smtp_reply *reply);

/* transaction.c: MAIL, RCPT, DATA for all unfinished recipients.  Waits. */
void transaction_run(struct session *session);
/* content.c: the message, dot-stuffed, without the final dot.  Waits. */
bool content_send(struct session *session);

/* outcome.c: what becomes of recipients. */
void outcome_sent(struct session *session, size_t index,
                  const struct smtp_reply *reply);
/* REPLY refused what STEP names ("RCPT TO command"): temporary ones are tried
 * elsewhere. */
void outcome_refused(struct session *session, size_t index,
                     const struct smtp_reply *reply, const char *step);
/* Defer recipient INDEX for good with RELAY, DSN and text. */
void outcome_final(struct delivery *delivery, size_t index, const char *relay,
                   enum deliver_status status, const char *dsn, struct view reason);
/* The connection broke or timed out while STEP ("sending MAIL FROM"). */
void outcome_lost(struct session *session, const char *step);
/* The whole server is of no use: remember DSN and text as the site's trouble, and log
 * it. */
void outcome_site(struct delivery *delivery, const char *dsn, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
