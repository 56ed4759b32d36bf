/* SPDX-License-Identifier: MIT */
/* The addresses in commands. */
#ifndef SMTPD_PATH_H
#define SMTPD_PATH_H

#include "smtpd/session.h"

/* ARGUMENTS is "FROM:<a@b> SIZE=1"; KEYWORD is "FROM".  False: not of this form. */
bool path_find(struct view arguments, const char *keyword, struct view *text_out);
/* The address at the start of TEXT, for command VERB ("MAIL"), in internal form and in
 * the session's scratch arena; *REST_OUT is what follows it.  False: malformed, logged
 * if there is something worth seeing. */
bool path_parse(struct session *session, const char *verb, struct view text,
                struct view *address_out, struct view *rest_out);
/* The same for an address that must not be empty. */
bool path_parse_recipient(struct session *session, const char *verb, struct view text,
                          struct view *address_out, struct view *rest_out);
bool path_is_ascii(struct view address);
/* strict_smtputf8: who sends other characters must say so.  False: refused, replied. */
bool path_check_utf8(struct session *session, struct view address, bool declared);
/* Log that TEXT, in command VERB, is no address. */
void path_log_illegal(const struct session *session, const char *verb,
                      struct view text);

#endif
