/* SPDX-License-Identifier: MIT */
/* One client, from the banner to the goodbye. */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "base/arena.h"
#include "net/stream.h"
#include "smtpd/auth/auth.h"
#include "smtpd/client.h"
#include "smtpd/server.h"
#include "tls/facts.h"

/* In the order of the counters in the "disconnect from" line. */
enum command_id {
    COMMAND_HELO,
    COMMAND_EHLO,
    COMMAND_XCLIENT,
    COMMAND_XFORWARD,
    COMMAND_STARTTLS,
    COMMAND_AUTH,
    COMMAND_MAIL,
    COMMAND_RCPT,
    COMMAND_DATA,
    COMMAND_BDAT,
    COMMAND_RSET,
    COMMAND_NOOP,
    COMMAND_VRFY,
    COMMAND_ETRN,
    COMMAND_QUIT,
    COMMAND_UNKNOWN,
    COMMAND_COUNT
};

struct command_count {
    int good, all;
};

/* A restriction that only matters once the others have had their say; see access/. */
struct deferral {
    bool active;
    int code;
    char dsn[12];
    struct str text; /* "<name>: Sender address rejected: reason" */
};

enum bdat_state {
    BDAT_NONE,
    BDAT_RECEIVING,
    BDAT_FAILED /* a chunk was refused: so are all others up to the last one */
};

struct session {
    struct server *server;
    const struct conf *conf; /* the server's */
    struct stream *stream;
    struct arena arena;   /* as long as the session */
    struct arena scratch; /* as long as one command */
    struct client client;
    const struct tls_facts *tls; /* of an encrypted session, else NULL */
    struct session_auth auth;
    struct anvil_peer *peer; /* of limits.h; NULL: not counted */
    const char *where;       /* the command being done, for the log */
    char where_text[40];     /* for WHERE when it has a number in it */
    struct str helo;         /* as shown; empty: none given */
    bool esmtp;
    unsigned discarded_keywords; /* enum ehlo_keyword */
    bool pipelining_noticed;     /* the client does not wait for its turn */
    bool closing;                /* the last reply has been sent */
    int local_rewrite; /* of local_header_rewrite_clients: 1, -1 not, 0 unknown */
    bool denied;       /* by client restrictions: nothing but QUIT */
    int errors, junk_commands;
    struct command_count counts[COMMAND_COUNT];
    int64_t declared_size; /* SIZE=; stays over a refused MAIL */
    enum bdat_state bdat;
    struct dns_memo *dns_memos;                   /* of access/dnsbl.c */
    struct message *message;                      /* from MAIL on, else NULL */
    struct deferral at_connect, at_helo, at_mail; /* smtpd_delay_reject = no */
    struct str verdict;                           /* the last refusal of access/ */
};

/* Serve the client on STREAM, which stays the caller's.  Waits. */
void session_run(struct server *server, struct stream *stream);

/* Is what is said protected by TLS? */
bool session_is_encrypted(const struct session *session);
/* Forget the mail transaction; the queue file, if any, disappears. */
void session_reset(struct session *session);
/* "ID" or "NOQUEUE". */
const char *session_queue_id(const struct session *session);
/* Received and not read yet, and not only part of a line. */
bool session_has_line(struct session *session);
/* The beginning of DATA in C notation, for the log. */
void session_add_escaped(struct str *out, struct view data);
/* Input that should not be there yet: log it once.  What is then done about it is for
 * the restrictions to say.  False: the session is over. */
bool session_check_pipelining(struct session *session, bool ask_kernel);

#endif
