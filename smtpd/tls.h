/* SPDX-License-Identifier: MIT */
/* TLS in SMTP sessions: who is offered it, who must use it, and how it begins. */
#ifndef SMTPD_TLS_H
#define SMTPD_TLS_H

#include "smtpd/session.h"

/* Open what SERVER needs, with the rights to read private keys; SERVICE is its name in
 * master.cf.  Ends the process when there is no such level. */
void tls_open(struct server *server, const char *service, int ticket_fd);
/* Notice, in the background, when keys and certificates are replaced. */
void tls_watch(struct server *server);
/* They were, and it is time for another process. */
bool tls_outdated(const struct server *server);

/* May SESSION say STARTTLS? */
bool tls_offered(const struct session *session);
/* Must it, before anything else? */
bool tls_required(const struct session *session);
/* smtpd_tls_wrappermode: encrypt before the banner.  False: the session is over.
 * Waits. */
bool tls_begin_wrapped(struct session *session);

/* smtpd_tls_received_header: what the Received header says about encryption. */
void tls_add_received(const struct session *session, struct str *out);

#endif
