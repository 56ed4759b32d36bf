/* SPDX-License-Identifier: MIT */
/*
 * The restrictions: who may do what.  Every stage answers true (go on), or false with
 * the reply in session->verdict, already logged.  With smtpd_delay_reject the earlier
 * stages are evaluated at RCPT TO.  All may wait (DNS, slow tables).
 */
#ifndef SMTPD_ACCESS_ACCESS_H
#define SMTPD_ACCESS_ACCESS_H

#include "smtpd/session.h"

struct access_rules;
/* Reads all restriction lists and opens their tables.  Ends the process with "fatal:
 * ..." when anybody could relay through us. */
struct access_rules *access_rules_new(const struct conf *conf);
void access_rules_free(struct access_rules **rules);
bool access_rules_changed(const struct access_rules *rules);

bool access_connect(struct session *session);
bool access_helo(struct session *session);
/* The transaction has begun: session->message holds the sender. */
bool access_mail(struct session *session);
/* RCPT and VRFY.  ADDRESS is in internal form. */
bool access_rcpt(struct session *session, struct view address);
bool access_data(struct session *session);
bool access_end_of_data(struct session *session);
bool access_etrn(struct session *session, struct view domain);
/* message_size_limit against the declared size, and room in the queue. */
bool access_size(struct session *session);

/* local_header_rewrite_clients: is its mail completed as local mail is? */
bool access_is_local(struct session *session);

#endif
