/* SPDX-License-Identifier: MIT */
/*
 * The lexer never fails: whatever bytes come, they end up in one token or
 * another, and the tokens' texts together are the input.
 */
#include "mail/address_lexer.h"

#include "base/ascii.h"
#include "base/check.h"

/* Length of "X...Y" at the start of V: after a backslash anything goes, and comments
 * nest. *CLOSED_OUT is false when V ends before Y. */
static size_t bracketed_length(struct view v, char close, bool *closed_out)
{
    size_t depth = 1;
    for (size_t i = 1; i < v.len; i++) {
        if (v.ptr[i] == '\\') {
            i++;
        } else if (v.ptr[i] == close && --depth == 0) {
            *closed_out = true;
            return i + 1;
        } else if (v.ptr[i] == '(' && close == ')') {
            depth++;
        }
    }
    *closed_out = false;
    return v.len;
}

static size_t space_length(struct view v)
{
    size_t i = 0;
    while (i < v.len && ascii_space(v.ptr[i])) {
        i++;
    }
    return i;
}

static bool ends_atom(char c)
{
    const struct view specials = VIEW("\"([<>,;:@.");
    return ascii_space(c) || view_index(specials, c) < specials.len;
}

static size_t atom_length(struct view v)
{
    size_t i = 0;
    while (i < v.len && !ends_atom(v.ptr[i])) {
        i += v.ptr[i] == '\\' && i + 1 < v.len ? 2 : 1;
    }
    return i;
}

bool lexeme_next(struct view *rest, struct lexeme *lexeme_out)
{
    if (rest->len == 0) {
        return false;
    }
    char c = rest->ptr[0];
    size_t len = 1;
    lexeme_out->closed = true;
    if (ascii_space(c)) {
        lexeme_out->kind = LEX_SPACE;
        len = space_length(*rest);
    } else if (c == '"') {
        lexeme_out->kind = LEX_QUOTED;
        len = bracketed_length(*rest, '"', &lexeme_out->closed);
    } else if (c == '[') {
        lexeme_out->kind = LEX_LITERAL;
        len = bracketed_length(*rest, ']', &lexeme_out->closed);
    } else if (c == '(') {
        lexeme_out->kind = LEX_COMMENT;
        len = bracketed_length(*rest, ')', &lexeme_out->closed);
    } else if (ends_atom(c)) {
        lexeme_out->kind = LEX_SPECIAL;
    } else {
        lexeme_out->kind = LEX_ATOM;
        len = atom_length(*rest);
    }
    CHECK(len > 0 && len <= rest->len);
    lexeme_out->text = view_first(*rest, len);
    *rest = view_from(*rest, len);
    return true;
}

bool lexeme_is(const struct lexeme *lexeme, char special)
{
    return lexeme->kind == LEX_SPECIAL && lexeme->text.ptr[0] == special;
}

bool lexeme_is_word(const struct lexeme *lexeme)
{
    return lexeme->kind == LEX_ATOM || lexeme->kind == LEX_QUOTED ||
           lexeme->kind == LEX_LITERAL;
}

/* V without backslashes; folded lines become one. */
static void add_unescaped(struct view v, struct str *out)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '\\') {
            if (++i == v.len) {
                break;
            }
        } else if (v.ptr[i] == '\n' || v.ptr[i] == '\r') {
            str_add_byte(out, ' ');
            continue;
        }
        str_add_byte(out, v.ptr[i]);
    }
}

void lexeme_add_meaning(const struct lexeme *lexeme, struct str *out)
{
    struct view text = lexeme->text;
    switch (lexeme->kind) {
    case LEX_SPACE:
    case LEX_COMMENT:
        return;
    case LEX_SPECIAL:
    case LEX_ATOM:
        add_unescaped(text, out);
        return;
    case LEX_QUOTED:
        text = view_from(text, 1);
        if (lexeme->closed) {
            text.len--;
        }
        add_unescaped(text, out);
        return;
    case LEX_LITERAL:
        add_unescaped(text, out);
        if (!lexeme->closed) {
            str_add_byte(out, ']');
        }
        return;
    }
}
