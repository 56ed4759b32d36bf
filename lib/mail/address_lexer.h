/* SPDX-License-Identifier: MIT */
/* Cutting an address field into lexical tokens (RFC 5322, section 3.2).  Private to
 * lib/mail. */
#ifndef MAIL_ADDRESS_LEXER_H
#define MAIL_ADDRESS_LEXER_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

enum lexeme_kind {
    LEX_SPACE,   /* white space, folding included */
    LEX_ATOM,    /* with backslash pairs, and stray ')' and ']' */
    LEX_QUOTED,  /* "..." */
    LEX_LITERAL, /* [...] */
    LEX_COMMENT, /* (...), nested */
    LEX_SPECIAL  /* one of < > , ; : @ . */
};

struct lexeme {
    enum lexeme_kind kind;
    struct view text; /* as written */
    bool closed;      /* false: the input ended before the closing character */
};

/* Cut the next one off *REST; false at the end. */
bool lexeme_next(struct view *rest, struct lexeme *lexeme_out);
bool lexeme_is(const struct lexeme *lexeme, char special);
/* Atom, quoted string or literal: two of them side by side do not belong to one
 * address. */
bool lexeme_is_word(const struct lexeme *lexeme);
/* Append its meaning: quoting removed, a literal closed; nothing for space and
 * comments. */
void lexeme_add_meaning(const struct lexeme *lexeme, struct str *out);

/* A domain as it may stand in an envelope: host name, UTF-8 labels allowed, or literal.
 */
bool address_valid_domain(struct view domain);

#endif
