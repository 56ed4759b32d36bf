/* SPDX-License-Identifier: MIT */
/* Replies to the client. */
#ifndef SMTPD_REPLY_H
#define SMTPD_REPLY_H

#include "base/check.h"
#include "smtpd/session.h"

/* One line, without its line end: "250 2.1.0 Ok".  Replies are buffered until no more
 * commands are waiting.  soft_bounce and smtpd_reject_footer are applied here, and 421
 * and 521 close the session.  Waits: clients that make many errors are slowed down. */
void reply(struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);
/* A line of a longer reply that has nothing to do with errors: "250-PIPELINING". */
void reply_line(struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);
/* soft_bounce: 5xx becomes 4xx, in both codes of a reply. */
void reply_soften(char *line);

#endif
