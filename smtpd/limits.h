/* SPDX-License-Identifier: MIT */
/*
 * How much one client may do: the limits smtpd_client_*_limit, over all processes of
 * the service, and the patience with failed logins.
 */
#ifndef SMTPD_LIMITS_H
#define SMTPD_LIMITS_H

#include <stdbool.h>

#include "conf/conf.h"

struct session;
struct limits;

/* What the sessions of a process share. */
struct limits *limits_new(const struct conf *conf);
void limits_free(struct limits **limits);

/* A session begins. */
void limits_enter(struct session *session);
/* TLS is to begin at once (smtpd_tls_wrappermode).  False: not with this client, who is
 * to be left without a word. */
bool limits_allow_wrapped(struct session *session);
/* May it go on?  False: there are too many; the client has been told so, and the
 * session is over.  Waits when a limit is near, as the others do. */
bool limits_admit(struct session *session);
/* It ends. */
void limits_leave(struct session *session);
/* MAIL, RCPT and AUTH.  False: not now; the client has been told. */
bool limits_allow_mail(struct session *session);
bool limits_allow_rcpt(struct session *session);
bool limits_allow_auth(struct session *session);
/* STARTTLS: before the handshake, and when there has been one.  False: the client has
 * been told, if it can be. */
bool limits_allow_starttls(struct session *session);
bool limits_count_tls(struct session *session);
/* Somebody does not know the password.  Who tries often waits for the answer. */
void limits_login_failed(struct session *session);

#endif
