/* SPDX-License-Identifier: MIT */
/*
 * Cutting lists into members.  Commas and white space stand between them; what is
 * quoted belongs together; a piece between commas that has "<...>" or "(...)" in it is
 * one address with its name or comment.
 */
#include "base/ascii.h"
#include "local/local.h"

static bool is_separator(char c)
{
    return c == ',' || ascii_space(c);
}

/* Where the character after the one at I begins: a backslash takes the next one along.
 */
static size_t next_char(struct view text, size_t i)
{
    return text.ptr[i] == '\\' && i + 1 < text.len ? i + 2 : i + 1;
}

/* Length of the piece up to a comma (or line end) outside quotes and comments. */
static size_t piece_length(struct view text, bool *phrase_out)
{
    bool quoted = false;
    unsigned comments = 0;
    size_t i = 0;
    *phrase_out = false;
    for (; i < text.len; i = next_char(text, i)) {
        char c = text.ptr[i];
        if (c == '\n' || (c == ',' && !quoted && comments == 0)) {
            break;
        }
        if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '(') {
            comments++;
            *phrase_out = true;
        } else if (!quoted && c == ')' && comments > 0) {
            comments--;
        } else if (!quoted && c == '<') {
            *phrase_out = true;
        }
    }
    return i < text.len ? i : text.len;
}

/* Length of the first word of PIECE; quotes may be anywhere in it. */
static size_t word_length(struct view piece)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < piece.len; i = next_char(piece, i)) {
        char c = piece.ptr[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && ascii_space(c)) {
            break;
        }
    }
    return i < piece.len ? i : piece.len;
}

/* "\"|command\"" and |"command" -> |command, with \" and \\ undone inside the quotes.
 */
static struct view without_quotes(struct arena *arena, struct view word)
{
    char *copy = arena_cstr(arena, word);
    size_t len = 0;
    bool quoted = false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '"') {
            quoted = !quoted;
            continue;
        }
        if (quoted && word.ptr[i] == '\\' && i + 1 < word.len) {
            i++;
        }
        copy[len++] = word.ptr[i];
    }
    copy[len] = '\0';
    return view_of(copy, len);
}

bool member_next(struct arena *arena, struct view *rest, struct member *member_out)
{
    while (rest->len > 0 && is_separator(rest->ptr[0])) {
        *rest = view_from(*rest, 1);
    }
    if (rest->len == 0) {
        return false;
    }
    bool phrase = false;
    struct view piece = view_first(*rest, piece_length(*rest, &phrase));
    size_t len = phrase ? piece.len : word_length(piece);
    struct view text = view_trim(view_first(piece, len));
    *member_out = (struct member){
        .text = text, .plain = without_quotes(arena, text), .phrase = phrase};
    *rest = view_from(*rest, len);
    return true;
}
