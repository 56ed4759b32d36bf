/* SPDX-License-Identifier: MIT */
/*
 * Single addresses from outside: the paths of MAIL and RCPT, and arguments.  A
 * path is what people type as well as what programs send, so it is read with the
 * grammar of headers, unless the site is strict.
 */
#include "base/arena.h"
#include "base/ascii.h"
#include "base/check.h"
#include "mail/address.h"
#include "mail/address_lexer.h"

/* Length of the path at the start of TEXT: up to white space outside "" and <>.  False:
 * one of them is not closed. */
static bool path_length(struct view text, size_t *len_out)
{
    size_t depth = 0;
    bool quoted = false;
    size_t i = 0;
    for (; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' && i + 1 < text.len) {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            continue;
        } else if (c == '<') {
            depth++;
        } else if (c == '>') {
            depth -= depth > 0;
        } else if (ascii_space(c) && depth == 0) {
            break;
        }
    }
    *len_out = i;
    return !quoted && depth == 0;
}

/* What nearly every path is: letters, digits, dots and one '@' need no parser. */
static bool is_plain(struct view path)
{
    const struct view others = VIEW("@.-_+=");
    size_t at_signs = 0;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        at_signs += c == '@';
        if (!ascii_alnum(c) && view_index(others, c) == others.len) {
            return false;
        }
    }
    return at_signs <= 1;
}

/* After the source route "@a,@b:" (RFC 5321, section 4.1.1.3: ignore it). */
static struct view without_route(struct view path)
{
    struct view trimmed = view_trim(path);
    size_t colon = view_index(trimmed, ':');
    if (trimmed.len > 0 && trimmed.ptr[0] == '@' && colon < trimmed.len) {
        return view_from(trimmed, colon + 1);
    }
    return path;
}

/* The one address of TEXT; none gives the empty address, two are an error. */
static bool single_address(struct view text, struct str *internal_out)
{
    struct arena arena = {0};
    struct address_token *tokens;
    size_t count = address_list_parse(&arena, text, &tokens), found = 0;
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].is_address && tokens[i].address.len > 0) {
            str_add(internal_out, tokens[i].address);
            found++;
        }
    }
    arena_clear(&arena);
    return found <= 1;
}

bool address_unquote(struct view external, struct str *internal_out)
{
    if (is_plain(external)) {
        str_add(internal_out, external);
        return true;
    }
    size_t before = internal_out->len;
    if (!single_address(without_route(external), internal_out)) {
        str_truncate(internal_out, before);
        return false;
    }
    return true;
}

/* RFC 5321 allows no comments, lists or display names in a path. */
static bool is_strict(struct view inside)
{
    struct view rest = inside;
    struct lexeme lexeme;
    bool word = false;
    while (lexeme_next(&rest, &lexeme)) {
        if (lexeme.kind == LEX_COMMENT || lexeme_is(&lexeme, ',') ||
            lexeme_is(&lexeme, ';')) {
            return false;
        }
        if (lexeme_is(&lexeme, '<') && word) {
            return false;
        }
        word = word || lexeme_is_word(&lexeme);
    }
    return true;
}

/* What follows the last '@' must be able to be a domain; an address without one is the
 * local system's to complete. */
static bool valid_internal(struct view internal)
{
    struct address_parts parts = address_split(internal);
    return !parts.has_domain || address_valid_domain(parts.domain);
}

/* "a@b@" is an address with nothing added to it. */
static void drop_empty_domain(struct str *internal)
{
    struct address_parts parts = address_split(str_view(internal));
    if (parts.has_domain && parts.domain.len == 0 &&
        view_index(parts.local, '@') < parts.local.len) {
        str_truncate(internal, parts.local.len);
    }
}

bool address_parse_path(struct view text, bool strict, struct str *internal_out,
                        struct view *rest_out)
{
    str_clear(internal_out);
    *rest_out = view_of(NULL, 0);
    text = view_trim(text);
    size_t len;
    if (!path_length(text, &len)) {
        return false;
    }
    struct view path = view_first(text, len);
    *rest_out = view_trim(view_from(text, len));
    bool angles = len >= 2 && path.ptr[0] == '<' && path.ptr[len - 1] == '>';
    if (strict && !angles) {
        return false;
    }
    if (angles) {
        path = without_route(view_first(view_from(path, 1), len - 2));
    }
    if (strict && !is_strict(path)) {
        return false;
    }
    if (is_plain(path)) {
        str_add(internal_out, path);
    } else if (!single_address(path, internal_out)) {
        return false;
    }
    drop_empty_domain(internal_out);
    struct view internal = str_view(internal_out);
    return str_ok(internal_out) &&
           !(strict && internal.len > 0 && internal.ptr[0] == '@') &&
           valid_internal(internal);
}
