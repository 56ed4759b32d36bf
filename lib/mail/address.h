/* SPDX-License-Identifier: MIT */
/*
 * Mail addresses.  Internally an address is local@domain with the local part
 * unquoted; on the wire and in headers it is quoted where RFC 5321/5322 ask.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/view.h"

/* At the last '@'; no '@': domain empty and has_domain false. */
struct address_parts {
    struct view local, domain;
    bool has_domain;
};
struct address_parts address_split(struct view internal);
/* local "user+ext" at the first of DELIMITERS that is not at position 0; MAILER-DAEMON,
 * postmaster, double-bounce and owner-x/x-request are never split at '-'.  False: no
 * extension. */
bool address_split_extension(struct view local, const char *delimiters,
                             struct view *user_out, struct view *extension_out);

/* Internal form -> external: quotes the local part when needed. */
void address_quote(struct view internal, struct str *external_out);
/* External mailbox (quoted strings, comments, source route stripped) -> internal. */
bool address_unquote(struct view external, struct str *internal_out);

/*
 * The path argument of MAIL FROM and RCPT TO: "<...>" or, unless STRICT, bare.
 * *REST_OUT is what follows (ESMTP parameters), even for a path that is refused; its
 * ptr is NULL when the path has no end ("<a@b").  False: malformed ("Bad ... address
 * syntax").  A domain in UTF-8 passes; whether SMTPUTF8 allows it is the caller's
 * question.
 */
bool address_parse_path(struct view text, bool strict, struct str *internal_out,
                        struct view *rest_out);

/* RFC 5322 address list of a header or of sendmail's arguments. */
struct address_token {
    struct view text; /* slice of the input for everything that is not the address */
    bool is_address;
    struct view address; /* internal form, in the arena */
};
/* Parse HEADER_VALUE into tokens of text and addresses, in order, so that addresses can
 * be rewritten and the rest reproduced. */
size_t address_list_parse(struct arena *arena, struct view header_value,
                          struct address_token **tokens_out);

/* Syntax of a host name / address literal as Postfix checks them. */
bool address_valid_hostname(struct view name);
bool address_valid_literal(struct view bracketed); /* "[1.2.3.4]", "[IPv6:::1]" */
/* ASCII lower-cased domain part, local part untouched. */
void address_fold_domain(struct view internal, struct str *out);

#endif
