/* SPDX-License-Identifier: MIT */
/* The parameters of MAIL and RCPT (RFC 5321 section 4.1.2, RFC 1870, 6152, 3461, 6531).
 */
#ifndef SMTPD_ESMTP_PARAMETERS_H
#define SMTPD_ESMTP_PARAMETERS_H

#include "base/arena.h"
#include "smtpd/message.h"

struct mail_parameters {
    int64_t size; /* -1: not given */
    enum message_body body;
    bool smtputf8;
    uint8_t ret; /* enum dsn_ret */
    struct view envid, auth_sender;
};
/* Strings go into ARENA.  HIDDEN: enum ehlo_keyword, extensions that do not exist for
 * this client.  False: *ERROR_OUT, also in ARENA, is the reply. */
bool mail_parameters_parse(struct view text, unsigned hidden, struct arena *arena,
                           struct mail_parameters *out, const char **error_out);

struct rcpt_parameters {
    uint8_t notify; /* enum dsn_notify; 0: not given */
    struct view orcpt;
};
bool rcpt_parameters_parse(struct view text, unsigned hidden, struct arena *arena,
                           struct rcpt_parameters *out, const char **error_out);

/* RFC 3461 section 4: "+2B" is a '+'.  False: malformed, or empty. */
bool xtext_decode(struct view text, struct str *out);

#endif
