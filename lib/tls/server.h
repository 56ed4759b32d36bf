/* SPDX-License-Identifier: MIT */
/*
 * A TLS server as main.cf describes it (smtpd_tls_..., tls_...): opened once per
 * process, with the rights that private keys need, and used for every session.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "conf/conf.h"
#include "net/stream.h"
#include "tls/facts.h"
#include "tls/report.h"

enum tls_level { TLS_LEVEL_NONE, TLS_LEVEL_MAY, TLS_LEVEL_ENCRYPT };

/* smtpd_tls_security_level, or the parameters that it took the place of, and wrapper
 * mode. False: there is no such level (reported). */
bool tls_server_level(const struct conf *conf, enum tls_level *out,
                      struct tls_report *report);

struct tls_server;

/* SERVICE is the name in master.cf; TICKET_FD: see tls/ticket_keys.h, or -1.  Mistakes
 * go to REPORT; with one that matters the server is there, but cannot be used.  NULL:
 * TLS is not asked for, or, with REPORT->failed, asked for in words that mean nothing.
 */
struct tls_server *tls_server_open(const struct conf *conf, const char *service,
                                   int ticket_fd, struct tls_report *report);
void tls_server_close(struct tls_server **server);

bool tls_server_usable(const struct tls_server *server);
enum tls_level tls_server_security(const struct tls_server *server);
bool tls_server_asks(const struct tls_server *server);     /* for a certificate */
bool tls_server_requires(const struct tls_server *server); /* a trusted one */

/* Keys, certificates or tables were replaced, or it is time to try again what failed:
 * new sessions should have a new process.  Warns of certificates that are about to
 * expire. */
bool tls_server_outdated(struct tls_server *server);
/* Readable when files have changed (tls_server_outdated() then wants to be called), or
 * -1. */
int tls_server_watch_fd(const struct tls_server *server);

/* The server's side of a handshake on STREAM with the client called PEER in the log,
 * within smtpd_starttls_timeout.  True: STREAM is encrypted and FACTS, in ARENA, are
 * known. False: the session is over (logged).  Waits. */
bool tls_server_accept(struct tls_server *server, struct stream *stream,
                       const char *peer, struct arena *arena, struct tls_facts *facts);

/* All mistakes of CONF that concern a TLS server; true when there is none that matters.
 * For "postfix check": reads what a worker would read, and serves nobody. */
bool tls_server_check(const struct conf *conf, struct tls_report *report);

#endif
