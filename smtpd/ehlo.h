/* SPDX-License-Identifier: MIT */
/* The extensions that EHLO offers, and those that a site hides from a client. */
#ifndef SMTPD_EHLO_H
#define SMTPD_EHLO_H

#include "smtpd/session.h"

enum ehlo_keyword {
    EHLO_PIPELINING = 1,
    EHLO_SIZE = 2,
    EHLO_VRFY = 4,
    EHLO_ETRN = 8,
    EHLO_ENHANCEDSTATUSCODES = 16,
    EHLO_8BITMIME = 32,
    EHLO_DSN = 64,
    EHLO_SMTPUTF8 = 128,
    EHLO_CHUNKING = 256,
    EHLO_STARTTLS = 512,
    EHLO_AUTH = 1024,
    EHLO_XCLIENT = 2048,
    EHLO_XFORWARD = 4096,
    EHLO_SILENT_DISCARD = 8192
};

/* Keywords of smtpd_discard_ehlo_keywords, or what the client's address has in the
 * table; logs them once per EHLO unless that is to be silent. */
unsigned ehlo_discarded(struct session *session);
/* Names in TEXT to a set.  Others are left out: they are not offered anyway. */
unsigned ehlo_parse_keywords(struct view text);
void ehlo_reply(struct session *session);

#endif
