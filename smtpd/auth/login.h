/* SPDX-License-Identifier: MIT */
/*
 * The two ways to check a password, behind one interface; and which mechanisms they
 * have.  Private to smtpd/auth.
 */
#ifndef SMTPD_AUTH_LOGIN_H
#define SMTPD_AUTH_LOGIN_H

#include "map/map.h"
#include "rpc/auth.h"
#include "smtpd/auth/auth.h"
#include "smtpd/session.h"

struct dovecot;

/* The mechanisms under one set of security options, as they were found lately. */
struct mechanisms {
    unsigned security;  /* enum auth_security */
    struct str present; /* all that are there */
    struct str offered; /* what smtpd_sasl_mechanism_filter leaves of them */
    int64_t expiry;     /* clock_now() scale; 0: unknown */
};

struct auth_service {
    const struct conf *conf;
    struct match_list *exceptions; /* smtpd_sasl_exceptions_networks */
    struct match_list *filter;     /* smtpd_sasl_mechanism_filter */
    struct mechanisms plain, encrypted;
    struct dovecot *dovecot; /* NULL: Cyrus */
};

/* Of SESSION as it is now, up to date.  Waits. */
const struct mechanisms *mechanisms_of(struct session *session);
bool mechanisms_have(const struct str *list, struct view name);
void mechanisms_done(struct mechanisms *mechanisms);

/* A login under way: one of the two. */
struct login {
    struct auth_service *service;
    struct auth_login *worker;
    struct dovecot_login *dovecot;
};
/* INITIAL: as the client gave it; ptr NULL: none.  STEP's texts live in the session's
 * scratch arena; its notes have been logged.  True: more steps follow.  Wait. */
bool login_begin(struct login *login, struct session *session, struct view mechanism,
                 struct view initial, struct auth_step *step);
bool login_continue(struct login *login, struct session *session, struct view response,
                    struct auth_step *step);
void login_abandon(struct login *login);

#endif
