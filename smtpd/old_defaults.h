/* SPDX-License-Identifier: MIT */
/*
 * Lines in the log that tell when a default of an old release, kept by
 * compatibility_level, made the difference.  Nothing is logged at today's level.
 */
#ifndef SMTPD_OLD_DEFAULTS_H
#define SMTPD_OLD_DEFAULTS_H

#include "map/map.h"
#include "smtpd/session.h"

/* What mynetworks would be by default today; NULL when it is that already. */
struct match_list *old_default_todays_networks(const struct conf *conf);
/* The client may relay: was it mynetworks_style? */
void old_default_networks(const struct session *session);
/* A domain of relay_domains; WHAT is "domain" or "address", NAME the thing. */
void old_default_relay_domain(const struct session *session, const char *what,
                              struct view name);
/* An address that is no ASCII, after MAIL or RCPT. */
void old_default_utf8(const struct session *session, const char *verb,
                      struct view address);
/* Does relaying depend on smtpd_relay_restrictions being empty? */
bool old_default_relay_holds(const struct session *session);
void old_default_relay(const struct session *session, struct view recipient);

#endif
