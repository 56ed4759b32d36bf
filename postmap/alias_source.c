/* SPDX-License-Identifier: MIT */
/*
 * An alias line is read as the tokens of RFC 5322, so that quotes, comments and escapes
 * mean what they mean in a header, and is written back in one spelling.
 */
#include "postmap/alias_source.h"

#include <string.h>

#include "base/ascii.h"
#include "base/check.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_QUOTED,
    TOKEN_COMMENT,
    TOKEN_LITERAL,
    TOKEN_MARK
};

struct token {
    enum token_kind kind;
    char mark;
    struct str text; /* without quotes, brackets, escapes; a comment as it stands */
};

/* Characters that are a token by themselves, or begin another kind of token. */
static bool is_special(char c)
{
    return c != '\0' && strchr("<>@,;:.%!|()[]\"", c) != NULL;
}

/* --- reading ----------------------------------------------------------------- */

/* What stands in front of CLOSE, escapes resolved.  The end of the line closes too. */
static void read_enclosed(struct view *rest, char close, struct str *out)
{
    size_t i = 1;
    for (; i < rest->len && rest->ptr[i] != close; i++) {
        if (rest->ptr[i] == '\\' && ++i >= rest->len) {
            break;
        }
        bool space = close == '"' && ascii_space(rest->ptr[i]);
        str_add_byte(out, space ? ' ' : rest->ptr[i]);
    }
    *rest = view_from(*rest, i + 1);
}

/* Comments nest; their text is nobody's business. */
static void read_comment(struct view *rest, struct str *out)
{
    size_t depth = 0, i = 0;
    do {
        if (rest->ptr[i] == '\\') {
            i++;
        } else if (rest->ptr[i] == '(') {
            depth++;
        } else if (rest->ptr[i] == ')') {
            depth--;
        }
        i++;
    } while (depth > 0 && i < rest->len);
    str_add(out, view_first(*rest, i));
    *rest = view_from(*rest, i);
}

static void read_word(struct view *rest, struct str *out)
{
    size_t i = 0;
    for (; i < rest->len; i++) {
        if (rest->ptr[i] == '\\') {
            if (++i >= rest->len) {
                break;
            }
        } else if (is_special(rest->ptr[i]) || ascii_space(rest->ptr[i])) {
            break;
        }
        str_add_byte(out, rest->ptr[i]);
    }
    *rest = view_from(*rest, i);
}

static void next_token(struct view *rest, struct token *token)
{
    str_clear(&token->text);
    token->mark = '\0';
    while (rest->len > 0 && ascii_space(rest->ptr[0])) {
        *rest = view_from(*rest, 1);
    }
    if (rest->len == 0) {
        token->kind = TOKEN_END;
        return;
    }
    switch (rest->ptr[0]) {
    case '"':
        token->kind = TOKEN_QUOTED;
        read_enclosed(rest, '"', &token->text);
        return;
    case '[':
        token->kind = TOKEN_LITERAL;
        read_enclosed(rest, ']', &token->text);
        return;
    case '(':
        token->kind = TOKEN_COMMENT;
        read_comment(rest, &token->text);
        return;
    default:
        break;
    }
    if (is_special(rest->ptr[0])) {
        token->kind = TOKEN_MARK;
        token->mark = rest->ptr[0];
        *rest = view_from(*rest, 1);
        return;
    }
    token->kind = TOKEN_WORD;
    read_word(rest, &token->text);
}

/* --- writing ----------------------------------------------------------------- */

static bool needs_quotes(const struct str *word)
{
    for (size_t i = 0; i < word->len; i++) {
        char c = word->ptr[i];
        if (ascii_space(c) || c == '\\' || is_special(c)) {
            return true;
        }
    }
    return false;
}

static void add_quoted(struct str *out, const struct str *text)
{
    str_add_byte(out, '"');
    for (size_t i = 0; i < text->len; i++) {
        if (text->ptr[i] == '"' || text->ptr[i] == '\\') {
            str_add_byte(out, '\\');
        }
        str_add_byte(out, text->ptr[i]);
    }
    str_add_byte(out, '"');
}

static bool is_word(enum token_kind kind)
{
    return kind == TOKEN_WORD || kind == TOKEN_QUOTED || kind == TOKEN_COMMENT ||
           kind == TOKEN_LITERAL;
}

static void add_mark(struct str *out, char mark)
{
    bool open = mark == '<' && out->len > 0 && out->ptr[out->len - 1] != ' ';
    if (open) {
        str_add_byte(out, ' ');
    }
    str_add_byte(out, mark);
    if (mark == ',') {
        str_add_byte(out, ' ');
    }
}

/* Append TOKEN as it follows one of kind BEFORE; RAW: for a key, without quotes. */
static void add_token(struct str *out, enum token_kind before,
                      const struct token *token, bool raw)
{
    if (is_word(before) && is_word(token->kind)) {
        str_add_byte(out, ' ');
    }
    switch (token->kind) {
    case TOKEN_MARK:
        add_mark(out, token->mark);
        break;
    case TOKEN_LITERAL:
        str_add_byte(out, '[');
        str_add(out, str_view(&token->text));
        str_add_byte(out, ']');
        break;
    case TOKEN_WORD:
    case TOKEN_QUOTED:
        if (!raw && (token->kind == TOKEN_QUOTED || needs_quotes(&token->text))) {
            add_quoted(out, &token->text);
            break;
        }
        str_add(out, str_view(&token->text));
        break;
    case TOKEN_COMMENT:
        str_add(out, str_view(&token->text));
        break;
    case TOKEN_END:
        break;
    }
}

/* --- a line ------------------------------------------------------------------ */

static const char need_pair[] = "need name:value pair";

/* Everything up to the colon. */
static const char *parse_name(struct view *rest, struct token *token, struct str *out)
{
    enum token_kind before = TOKEN_END;
    bool is_local = true;
    for (;;) {
        next_token(rest, token);
        if (token->kind == TOKEN_MARK && token->mark == ':') {
            break;
        }
        if (token->kind == TOKEN_END ||
            (token->kind == TOKEN_MARK && token->mark == ',')) {
            return need_pair;
        }
        if (token->kind == TOKEN_MARK && (token->mark == '@' || token->mark == '%')) {
            is_local = false;
        }
        add_token(out, before, token, true);
        before = token->kind;
    }
    if (before == TOKEN_END) {
        return need_pair;
    }
    return is_local ? NULL : "name must be local";
}

static const char *parse_line(struct view rest, struct token *token,
                              struct str *name_out, struct str *value_out)
{
    const char *problem = parse_name(&rest, token, name_out);
    bool empty = view_trim(rest).len == 0;
    if (empty || problem != NULL) {
        return empty ? need_pair : problem;
    }
    enum token_kind before = TOKEN_END;
    for (;;) {
        next_token(&rest, token);
        if (token->kind == TOKEN_END) {
            return NULL;
        }
        add_token(value_out, before, token, false);
        before = token->kind;
    }
}

const char *alias_parse(struct view line, struct str *name_out, struct str *value_out)
{
    struct token token = {0};
    str_clear(name_out);
    str_clear(value_out);
    const char *problem = parse_line(line, &token, name_out, value_out);
    str_done(&token.text);
    return problem;
}
