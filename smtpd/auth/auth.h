/* SPDX-License-Identifier: MIT */
/*
 * Logging in (RFC 4954).  Who may, with what, and who has.  Passwords are checked by
 * the auth worker or by Dovecot; see login.h.
 */
#ifndef SMTPD_AUTH_AUTH_H
#define SMTPD_AUTH_AUTH_H

#include <stdbool.h>

#include "conf/conf.h"

struct session;
struct auth_service;

/* Of a session.  Strings live in its arena. */
struct session_auth {
    int allowed;               /* to this client: 1, -1 not, 0 unknown */
    const char *method, *user; /* who has logged in; NULL: nobody */
};

/* All that sessions share.  Ends the process with "fatal: ..." when the configuration
 * makes no sense.  NULL: smtpd_sasl_auth_enable is off. */
struct auth_service *auth_service_new(const struct conf *conf);
void auth_service_free(struct auth_service **service);

/* Is there AUTH for this client at all?  (smtpd_sasl_exceptions_networks) */
bool auth_is_enabled(struct session *session);
/* And at this moment?  (smtpd_tls_auth_only) */
bool auth_is_offered(struct session *session);
/* What EHLO offers: "PLAIN LOGIN"; empty: nothing, which has been logged unless it is
 * by intention.  Valid until the next call.  Waits. */
const char *auth_offer(struct session *session);
/* Who was logged in is so no longer: a TLS session begins (RFC 3207, section 4.2). */
void auth_forget(struct session *session);

#endif
