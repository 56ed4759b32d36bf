/* SPDX-License-Identifier: MIT */
/*
 * Address lists of headers.  The grammar of RFC 5322 is read generously, because
 * people and programs write anything: words side by side are separate addresses,
 * empty elements are skipped, and what is never closed ends with the input.
 *
 *     list    = element *( ("," / ";") element )
 *     element = [words ":"] ( words "<" address ">" / address )
 */
#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "mail/address.h"
#include "mail/address_lexer.h"

#include <stdlib.h>

struct lexemes {
    struct lexeme *items;
    size_t count, capacity;
};

struct list_parser {
    struct arena *arena;
    struct lexemes all;
    size_t at;     /* lexeme to look at */
    size_t run;    /* first lexeme that no token covers */
    bool in_group; /* after "name:", until ';' */
    struct address_token *tokens;
    size_t count, capacity;
};

static void scan_lexemes(struct view text, struct lexemes *all)
{
    struct lexeme lexeme;
    while (lexeme_next(&text, &lexeme)) {
        if (all->count == all->capacity) {
            all->capacity = all->capacity > 0 ? all->capacity * 2 : 32;
            all->items = xreallocarray(all->items, all->capacity, sizeof(*all->items));
        }
        all->items[all->count++] = lexeme;
    }
}

static struct address_token *add_token(struct list_parser *parser)
{
    if (parser->count == parser->capacity) {
        parser->capacity = parser->capacity > 0 ? parser->capacity * 2 : 16;
        parser->tokens =
            xreallocarray(parser->tokens, parser->capacity, sizeof(*parser->tokens));
    }
    struct address_token *token = &parser->tokens[parser->count++];
    *token = (struct address_token){0};
    return token;
}

static void add_text(struct list_parser *parser, struct view text)
{
    if (text.len > 0) {
        add_token(parser)->text = text;
    }
}

/* The lexemes FROM..TO-1 as they were written. */
static void add_text_range(struct list_parser *parser, size_t from, size_t to)
{
    if (from < to) {
        const struct lexeme *first = &parser->all.items[from];
        const struct lexeme *last = &parser->all.items[to - 1];
        size_t len = (size_t)(last->text.ptr + last->text.len - first->text.ptr);
        add_text(parser, view_of(first->text.ptr, len));
    }
}

static void add_address(struct list_parser *parser, size_t from, size_t to)
{
    STR_AUTO struct str meaning = {0};
    for (size_t i = from; i < to; i++) {
        lexeme_add_meaning(&parser->all.items[i], &meaning);
    }
    struct address_token *token = add_token(parser);
    token->is_address = true;
    token->address = arena_view(parser->arena, str_view(&meaning));
}

/* Comments inside an address come after it. */
static void add_comments(struct list_parser *parser, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (parser->all.items[i].kind == LEX_COMMENT) {
            add_text(parser, VIEW(" "));
            add_text(parser, parser->all.items[i].text);
        }
    }
}

static bool is_blank(const struct lexeme *lexeme)
{
    return lexeme->kind == LEX_SPACE || lexeme->kind == LEX_COMMENT;
}

/* End of the address that starts at FROM (not blank), at most TO: before a second word
 * in a row, and without blanks at the end. */
static size_t address_end(const struct list_parser *parser, size_t from, size_t to)
{
    size_t end = from + 1;
    bool word = lexeme_is_word(&parser->all.items[from]);
    for (size_t i = end; i < to; i++) {
        const struct lexeme *lexeme = &parser->all.items[i];
        if (is_blank(lexeme)) {
            continue;
        }
        if (word && lexeme_is_word(lexeme)) {
            return end;
        }
        word = lexeme_is_word(lexeme);
        end = i + 1;
    }
    return end;
}

/* A stray '>' is no part of anything, whoever wrote it. */
static bool is_noise(const struct lexeme *lexeme)
{
    return is_blank(lexeme) || lexeme_is(lexeme, '>');
}

static size_t trim_noise(const struct list_parser *parser, size_t from, size_t end)
{
    while (end > from + 1 && is_noise(&parser->all.items[end - 1])) {
        end--;
    }
    return end;
}

/* The last token is an address, or the '>' of one. */
static bool follows_address(const struct list_parser *parser)
{
    if (parser->count == 0) {
        return false;
    }
    const struct address_token *last = &parser->tokens[parser->count - 1];
    return last->is_address || (last->text.len == 1 && last->text.ptr[0] == '>');
}

/* The lexemes from the run up to the present place hold addresses without "<>". */
static void flush_addresses(struct list_parser *parser)
{
    size_t text = parser->run, at = parser->run;
    bool separate = follows_address(parser);
    while (at < parser->at) {
        if (is_noise(&parser->all.items[at])) {
            at++;
            continue;
        }
        size_t end = trim_noise(parser, at, address_end(parser, at, parser->at));
        if (separate) {
            add_text(parser, VIEW(", "));
            text += text < at && parser->all.items[text].kind == LEX_SPACE;
        }
        add_text_range(parser, text, at);
        add_address(parser, at, end);
        add_comments(parser, at, end);
        at = text = end;
        separate = true;
    }
    add_text_range(parser, text, parser->at);
    parser->run = parser->at;
}

/* Index of the '>' that matches the '<' at FROM, or 0. */
static size_t closing_angle(const struct list_parser *parser, size_t from)
{
    for (size_t i = from + 1; i < parser->all.count; i++) {
        if (lexeme_is(&parser->all.items[i], '<')) {
            return 0;
        }
        if (lexeme_is(&parser->all.items[i], '>')) {
            return i;
        }
    }
    return 0;
}

/* After the source route "@a,@b:" at FROM, which RFC 5321 lets us forget; else FROM. */
static size_t skip_route(const struct list_parser *parser, size_t from, size_t to)
{
    while (from < to && is_blank(&parser->all.items[from])) {
        from++;
    }
    if (from == to || !lexeme_is(&parser->all.items[from], '@')) {
        return from;
    }
    for (size_t i = from; i < to; i++) {
        if (lexeme_is(&parser->all.items[i], ':')) {
            return i + 1;
        }
    }
    return from;
}

static void parse_angle(struct list_parser *parser, size_t close)
{
    size_t open = parser->at;
    add_text_range(parser, parser->run, open + 1);
    size_t from = skip_route(parser, open + 1, close);
    add_address(parser, from, close);
    add_comments(parser, from, close);
    parser->run = close;
    parser->at = close + 1;
    /* The '>' is text of its own, so that a bare word behind it is seen as a new
     * element. */
    add_text_range(parser, close, close + 1);
    parser->run = close + 1;
}

/* "words:" opens a group if a ';' closes it before the next ':'; else ':' is like a
 * letter. */
static bool starts_group(const struct list_parser *parser)
{
    if (parser->in_group) {
        return false;
    }
    size_t words = 0;
    for (size_t i = parser->run; i < parser->at; i++) {
        const struct lexeme *lexeme = &parser->all.items[i];
        if (lexeme_is(lexeme, '@') || lexeme_is(lexeme, ':')) {
            return false;
        }
        words += lexeme_is_word(lexeme);
    }
    for (size_t i = parser->at + 1; words > 0 && i < parser->all.count; i++) {
        if (lexeme_is(&parser->all.items[i], ';')) {
            return true;
        }
    }
    return false;
}

static void parse_lexeme(struct list_parser *parser)
{
    const struct lexeme *lexeme = &parser->all.items[parser->at];
    size_t close = lexeme_is(lexeme, '<') ? closing_angle(parser, parser->at) : 0;
    if (close > 0) {
        parse_angle(parser, close);
    } else if (lexeme_is(lexeme, ',') || lexeme_is(lexeme, ';')) {
        parser->in_group = parser->in_group && !lexeme_is(lexeme, ';');
        flush_addresses(parser);
        parser->at++;
        add_text_range(parser, parser->run, parser->at);
        parser->run = parser->at;
    } else if (lexeme_is(lexeme, ':') && starts_group(parser)) {
        parser->in_group = true;
        parser->at++;
        add_text_range(parser, parser->run, parser->at);
        parser->run = parser->at;
    } else {
        parser->at++;
    }
}

size_t address_list_parse(struct arena *arena, struct view header_value,
                          struct address_token **tokens_out)
{
    struct list_parser parser = {.arena = arena};
    scan_lexemes(header_value, &parser.all);
    while (parser.at < parser.all.count) {
        parse_lexeme(&parser);
    }
    flush_addresses(&parser);
    CHECK(parser.run == parser.all.count);
    *tokens_out = arena_alloc(arena, (parser.count + 1) * sizeof(**tokens_out));
    if (parser.count > 0) {
        memcpy(*tokens_out, parser.tokens, parser.count * sizeof(**tokens_out));
    }
    free(parser.tokens);
    free(parser.all.items);
    return parser.count;
}
