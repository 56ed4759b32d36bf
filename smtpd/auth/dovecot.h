/* SPDX-License-Identifier: MIT */
/*
 * Dovecot's authentication server (smtpd_sasl_type = dovecot) at smtpd_sasl_path.
 * Connections are kept; each login has one for itself while it lasts.  Private to
 * smtpd/auth.
 */
#ifndef SMTPD_AUTH_DOVECOT_H
#define SMTPD_AUTH_DOVECOT_H

#include "rpc/auth.h"
#include "smtpd/session.h"

struct dovecot;
struct dovecot_login;

/* NULL: ERR says what is wrong with smtpd_sasl_path. */
struct dovecot *dovecot_new(const struct conf *conf, struct err *err);
void dovecot_free(struct dovecot **dovecot);
/* What the server has, and SECURITY (enum auth_security) allows.  Waits. */
NODISCARD enum outcome dovecot_mechanisms(struct dovecot *dovecot, unsigned security,
                                          struct str *out, struct err *err);
/* As auth_login_begin() and its kin of rpc/auth.h.  Wait. */
struct dovecot_login *dovecot_login_begin(struct dovecot *dovecot,
                                          struct session *session,
                                          struct view mechanism, struct view initial,
                                          struct auth_step *step);
void dovecot_login_continue(struct dovecot_login **login, struct view response,
                            struct arena *arena, struct auth_step *step);
void dovecot_login_abandon(struct dovecot_login **login);

#endif
