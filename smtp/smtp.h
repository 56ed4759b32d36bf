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
#include "map/map.h"
#include "net/address.h"
#include "net/stream.h"
#include "route/own_address.h"
#include "rpc/deliver.h"
#include "rpc/deliver_agent.h"

struct smtp_cache;

struct smtp {
    const struct conf *conf;
    struct smtp_cache *cache; /* NULL: connections are not kept */
    struct queue_dirs *dirs;
    struct own_addresses *own; /* where this system receives mail itself */
    unsigned families;         /* enum dns_lookup_flags */
};

/* One server to try. */
struct target {
    char *host; /* name or literal, for the log */
    struct net_address address;
    unsigned preference;
    size_t hop; /* which of several next hops: each has its own limits */
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

/* order.c: put the targets FROM .. of one next hop, which are sorted by preference, in
 * the order in which they are tried, and drop those above smtp_mx_address_limit. */
void targets_order(const struct conf *conf, struct targets *targets, size_t from);

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
    bool last_address; /* nobody to connect to after this one */
    bool last_target;  /* no session after this one: temporary failures are final */
    struct deliver_reply *reply;
};

/* delivery.c: one request from beginning to end.  Fills REPLY.  Waits. */
void delivery_run(const struct smtp *smtp, const struct deliver_request *request,
                  struct arena *arena, struct deliver_reply *reply);

/* A reply of the server. */
struct smtp_reply {
    int code;          /* 0: none, or not a reply as RFC 5321 has them */
    struct view text;  /* all lines joined by spaces, with codes */
    struct view lines; /* the same, joined by line ends */
    char dsn[12];
};

enum smtp_feature {
    SMTP_PIPELINING = 1,
    SMTP_SIZE = 2,
    SMTP_8BITMIME = 4,
    SMTP_DSN = 8,
    SMTP_UTF8 = 16
};

enum { SMTP_NAME_MAX = 400 };

/* A connection between two deliveries. */
struct kept_connection {
    struct stream *stream;
    char host[SMTP_NAME_MAX];
    struct net_address address;
    unsigned features;
    int64_t size_limit;
    int64_t opened; /* clock_now() */
    int uses;       /* deliveries so far */
};

/* cache.c: connections that are kept for the next delivery. */
struct smtp_cache *cache_new(const struct conf *conf);
void cache_free(struct smtp_cache **cache);
/* Shall the connection that serves REQUEST be kept? */
bool cache_wants(const struct smtp_cache *cache, const struct deliver_request *request);
/* One to TARGET, which is the caller's from now on. */
bool cache_take(struct smtp_cache *cache, const struct target *target,
                struct kept_connection *connection_out);
/* False: it has been used enough, or there are too many; it stays the caller's. */
bool cache_put(struct smtp_cache *cache, const struct kept_connection *connection);

struct session {
    struct delivery *delivery;
    const struct target *target;
    struct stream *stream;
    int64_t timeout; /* of the present step */
    unsigned features;
    int64_t size_limit; /* of SIZE; 0: none */
    bool broken;        /* the connection is of no use any more */
    bool confused;      /* the server sent what was no reply */
    bool clean;         /* no transaction is open */
    bool replied;       /* something came on this connection for this delivery */
    bool stale;         /* a kept connection that was dead all the time */
    int64_t opened;     /* clock_now() */
    int uses;           /* deliveries, this one included */
    char relay[SMTP_NAME_MAX + 8]; /* "host[addr]:port" */
    char peer[SMTP_NAME_MAX];      /* "host[addr]" */
};

/* session.c: connect, greeting, EHLO.  False: not this server; recorded as trouble.  If
 * there is a stream, it must be closed in any case.  Waits. */
bool session_open(struct session *session, struct delivery *delivery,
                  const struct target *target);
/* The same on a kept connection.  False: there is none. */
bool session_reopen(struct session *session, struct delivery *delivery,
                    const struct target *target);
/* Keep the connection for the next delivery, or say goodbye. */
void session_close(struct session *session);
/* How long the step that comes may take. */
void session_set_timeout(struct session *session, enum param timeout);
/* Send what is buffered and read the reply to it.  False: the connection broke.  Waits.
 */
bool session_exchange(struct session *session, struct smtp_reply *reply);
/* Forget the transaction (RFC 5321 4.1.1.5).  Waits. */
void session_reset(struct session *session);

/* reply.c: read one reply.  False: the connection broke.  Before the GREETING there may
 * be noise; later it is a protocol error.  Waits. */
bool reply_read(struct session *session, bool greeting, struct smtp_reply *reply);

/* transaction.c: MAIL, RCPT, DATA for all unfinished recipients.  Waits. */
void transaction_run(struct session *session);
/* envelope.c: the commands, with the parameters that the server knows. */
void envelope_write_mail(const struct session *session);
void envelope_write_rcpt(const struct session *session,
                         const struct queue_recipient *recipient);
bool envelope_needs_utf8(const struct deliver_request *request);
/* content.c: the message, dot-stuffed, without the final dot.  Waits. */
enum content_result { CONTENT_SENT, CONTENT_UNREADABLE, CONTENT_LOST };
enum content_result content_send(struct session *session);

/* outcome.c: what becomes of recipients. */
void outcome_sent(struct session *session, size_t index,
                  const struct smtp_reply *reply);
/* REPLY refused what STEP names ("RCPT TO command") for these recipients: temporary
 * refusals are tried elsewhere. */
void outcome_refused(struct session *session, const size_t *indexes, size_t count,
                     const struct smtp_reply *reply, const char *step);
/* The connection broke or timed out while STEP ("sending MAIL FROM"). */
void outcome_lost(struct session *session, const char *step);
/* The server does not want to talk to us at all. */
void outcome_unwelcome(struct session *session, const struct smtp_reply *reply);
/* No connection. */
void outcome_unreachable(struct session *session, const char *reason);
/* Everybody who has no answer yet gets this one; RELAY as in the log. */
void outcome_all(struct delivery *delivery, const char *relay,
                 enum deliver_status status, const char *dsn, struct view reason);
/* The same, as trouble of the destination as a whole: the queue manager will know. */
void outcome_site_down(struct delivery *delivery, const char *relay, const char *dsn,
                       struct view reason);

#endif
