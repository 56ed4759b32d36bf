/* SPDX-License-Identifier: MIT */
/*
 * RFC 5322 address lists as they are in real mail: the parser accepts everything
 * and never loses a word.  What cannot be an address list (two words where one
 * address should be) is taken for two addresses, as mailers have always done.
 *
 * First the text is cut into tokens, then the tokens between two commas are put
 * together to addresses, names and comments.
 */
#include "mail/header_address.h"

#include "base/ascii.h"
#include "base/check.h"
#include "mail/address.h"

enum { LINE_MOST = 69 };

/* --- tokens --------------------------------------------------------------------- */

enum token_kind {
    TOKEN_WORD,    /* atom; VALUE is without backslashes */
    TOKEN_QUOTED,  /* quoted string; VALUE is what it means */
    TOKEN_LITERAL, /* [domain literal]; VALUE includes the brackets */
    TOKEN_COMMENT, /* (comment) */
    TOKEN_OPERATOR /* one of <>@,;:. */
};

struct token {
    enum token_kind kind;
    struct view text;  /* as printed */
    struct view value; /* in an address */
};

struct lexer {
    struct arena *arena;
    struct view rest;
    struct token *tokens;
    size_t count, limit;
};

static bool is_special(char c)
{
    return c != '\0' && strchr("()<>@,;:.\"[]\\", c) != NULL;
}

static bool is_line_break(char c)
{
    return c == '\n' || c == '\r';
}

/* White space of a folded header, line breaks and carriage returns included. */
static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || is_line_break(c);
}

/* Length of the text from an opening character to its end; nested for comments. */
static size_t enclosed_length(struct view text, char open, char close)
{
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' && i + 1 < text.len) {
            i++;
        } else if (c == close && (open == close ? i > 0 : true)) {
            if (open == close || --depth == 0) {
                return i + 1;
            }
        } else if (c == open) {
            depth++;
        }
    }
    return text.len;
}

/* Line breaks inside TEXT become nothing: the white space after them stays. */
static void add_unfolded(struct str *out, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_line_break(text.ptr[i])) {
            str_add_byte(out, text.ptr[i]);
        }
    }
}

static struct view keep(struct arena *arena, struct str *text)
{
    struct view kept = arena_view(arena, str_view(text));
    str_done(text);
    return kept;
}

/* TEXT with a closing character if it ended without one. */
static struct view closed_text(struct arena *arena, struct view text, bool closed,
                               char close)
{
    struct str out = {0};
    add_unfolded(&out, text);
    if (!closed) {
        str_add_byte(&out, close);
    }
    return keep(arena, &out);
}

static struct view without_backslashes(struct arena *arena, struct view text)
{
    struct str out = {0};
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len) {
            i++;
        }
        if (!is_line_break(text.ptr[i])) {
            str_add_byte(&out, text.ptr[i]);
        }
    }
    return keep(arena, &out);
}

/* Does the enclosed TEXT end with an unquoted CLOSE? */
static bool is_closed(struct view text, char close)
{
    if (text.len < 2 || text.ptr[text.len - 1] != close) {
        return false;
    }
    size_t backslashes = 0;
    while (backslashes + 2 < text.len && text.ptr[text.len - 2 - backslashes] == '\\') {
        backslashes++;
    }
    return backslashes % 2 == 0;
}

static struct token enclosed_token(struct lexer *lexer, enum token_kind kind, char open,
                                   char close)
{
    struct view text =
        view_first(lexer->rest, enclosed_length(lexer->rest, open, close));
    bool closed = is_closed(text, close);
    struct token token = {.kind = kind};
    token.text = closed_text(lexer->arena, text, closed, close);
    token.value = token.text;
    if (kind == TOKEN_QUOTED) {
        struct view inner = view_from(text, 1);
        inner = view_first(inner, inner.len - (closed ? 1 : 0));
        token.value = without_backslashes(lexer->arena, inner);
    }
    lexer->rest = view_from(lexer->rest, text.len);
    return token;
}

static struct token word_token(struct lexer *lexer)
{
    size_t len = 0;
    bool escaped = false;
    while (len < lexer->rest.len) {
        char c = lexer->rest.ptr[len];
        if (c == '\\' && len + 1 < lexer->rest.len &&
            !is_line_break(lexer->rest.ptr[len + 1])) {
            escaped = true;
            len += 2;
            continue;
        }
        if (is_blank(c) || (is_special(c) && c != '\\' && c != ']')) {
            break;
        }
        len++;
    }
    struct view text = view_first(lexer->rest, len);
    lexer->rest = view_from(lexer->rest, len);
    struct view value = escaped ? without_backslashes(lexer->arena, text) : text;
    return (struct token){.kind = TOKEN_WORD, .text = text, .value = value};
}

static struct token next_token(struct lexer *lexer)
{
    char c = lexer->rest.ptr[0];
    if (c == '"') {
        return enclosed_token(lexer, TOKEN_QUOTED, '"', '"');
    }
    if (c == '(') {
        return enclosed_token(lexer, TOKEN_COMMENT, '(', ')');
    }
    if (c == '[') {
        return enclosed_token(lexer, TOKEN_LITERAL, '[', ']');
    }
    if (c == ')' || !is_special(c) || c == '\\' || c == ']') {
        if (c == ')') { /* closes nothing */
            lexer->rest = view_from(lexer->rest, 1);
            return (struct token){
                .kind = TOKEN_WORD, .text = VIEW(")"), .value = VIEW(")")};
        }
        return word_token(lexer);
    }
    struct view text = view_first(lexer->rest, 1);
    lexer->rest = view_from(lexer->rest, 1);
    return (struct token){.kind = TOKEN_OPERATOR, .text = text, .value = text};
}

static void skip_blanks(struct lexer *lexer)
{
    size_t blanks = 0;
    while (blanks < lexer->rest.len && is_blank(lexer->rest.ptr[blanks])) {
        blanks++;
    }
    lexer->rest = view_from(lexer->rest, blanks);
}

static void cut_tokens(struct lexer *lexer)
{
    size_t capacity = 0;
    skip_blanks(lexer);
    while (lexer->rest.len > 0 && lexer->count < lexer->limit) {
        if (lexer->count == capacity) {
            size_t larger = capacity > 0 ? capacity * 2 : 16;
            struct token *tokens = arena_alloc(lexer->arena, larger * sizeof(*tokens));
            if (lexer->count > 0) {
                memcpy(tokens, lexer->tokens, lexer->count * sizeof(*tokens));
            }
            lexer->tokens = tokens;
            capacity = larger;
        }
        lexer->tokens[lexer->count++] = next_token(lexer);
        skip_blanks(lexer);
    }
}

/* --- grouping ------------------------------------------------------------------- */

struct parser {
    struct arena *arena;
    const struct token *tokens;
    size_t count, at;
    struct header_part *parts;
    size_t part_count, capacity;
    bool fold_next;  /* the next part may begin a line */
    bool space_next; /* the next part comes after a space */
};

static bool is_operator(const struct token *token, char c)
{
    return token->kind == TOKEN_OPERATOR && token->text.ptr[0] == c;
}

static const struct token *peek(const struct parser *parser, size_t ahead)
{
    size_t at = parser->at + ahead;
    return at < parser->count ? &parser->tokens[at] : NULL;
}

static bool next_is(const struct parser *parser, char c)
{
    const struct token *token = peek(parser, 0);
    return token != NULL && is_operator(token, c);
}

static struct header_part *add_part(struct parser *parser, struct view text, bool space)
{
    if (parser->part_count == parser->capacity) {
        size_t larger = parser->capacity > 0 ? parser->capacity * 2 : 16;
        struct header_part *parts = arena_alloc(parser->arena, larger * sizeof(*parts));
        if (parser->part_count > 0) {
            memcpy(parts, parser->parts, parser->part_count * sizeof(*parts));
        }
        parser->parts = parts;
        parser->capacity = larger;
    }
    struct header_part *part = &parser->parts[parser->part_count++];
    *part = (struct header_part){.text = text,
                                 .space_before = space || parser->space_next,
                                 .may_fold = parser->fold_next};
    parser->fold_next = false;
    parser->space_next = false;
    return part;
}

static void add_address(struct parser *parser, struct view address, bool space)
{
    STR_AUTO struct str external = {0};
    address_quote(address, &external);
    struct header_part *part =
        add_part(parser, arena_view(parser->arena, str_view(&external)), space);
    part->is_address = true;
    part->address = address;
}

/* "," that stands in the text, or that is missing between two addresses. */
static void add_comma(struct parser *parser)
{
    (void)add_part(parser, VIEW(","), false);
    parser->fold_next = true;
    parser->space_next = true;
}

static bool is_word(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED ||
           token->kind == TOKEN_LITERAL;
}

static bool joins(const struct token *token)
{
    return is_operator(token, '.') || is_operator(token, '@');
}

/*
 * Take the tokens of one address: words joined by '.' and '@'.  Comments in
 * between are moved behind it (COMMENTS).  Inside <> words need no joint.
 */
static struct view take_address(struct parser *parser, bool in_angle,
                                struct str *comments)
{
    struct str address = {0};
    bool joined = true;
    const struct token *token;
    while ((token = peek(parser, 0)) != NULL) {
        if (token->kind == TOKEN_COMMENT) {
            const struct token *after = peek(parser, 1);
            if (!in_angle && !joined && (after == NULL || !joins(after))) {
                break; /* a comment after the address, not within */
            }
            str_add_byte(comments, ' ');
            str_add(comments, token->text);
        } else if (joins(token)) {
            str_add(&address, token->text);
            joined = true;
        } else if (is_word(token) && (joined || in_angle)) {
            if (!joined) {
                str_add_byte(&address, ' ');
            }
            str_add(&address, token->value);
            joined = false;
        } else {
            break;
        }
        parser->at++;
    }
    return keep(parser->arena, &address);
}

/* "@relay,@relay:" before the address proper is out of use since RFC 1123. */
static void skip_route(struct parser *parser)
{
    if (!next_is(parser, '@')) {
        return;
    }
    for (size_t ahead = 1;; ahead++) {
        const struct token *token = peek(parser, ahead);
        if (token == NULL || is_operator(token, '>') || is_operator(token, ';')) {
            return;
        }
        if (is_operator(token, ':')) {
            parser->at += ahead + 1;
            return;
        }
    }
}

static void add_comments(struct parser *parser, struct str *comments)
{
    struct view text = view_trim(str_view(comments));
    if (text.len > 0) {
        (void)add_part(parser, arena_view(parser->arena, text), true);
    }
    str_done(comments);
}

static void take_angle(struct parser *parser, bool space)
{
    struct str comments = {0};
    CHECK(next_is(parser, '<'));
    parser->at++;
    (void)add_part(parser, VIEW("<"), space);
    skip_route(parser);
    struct view address = take_address(parser, true, &comments);
    if (address.len > 0) {
        add_address(parser, address, false);
    }
    /* What is neither an address nor its end would break the syntax: it goes. */
    while (peek(parser, 0) != NULL && !next_is(parser, '>') && !next_is(parser, ',') &&
           !next_is(parser, ';')) {
        parser->at++;
    }
    parser->at += next_is(parser, '>') ? 1 : 0;
    (void)add_part(parser, VIEW(">"), false);
    add_comments(parser, &comments);
}

/* What ends the words that start at the present token: '<' (then they are a name), ':'
 * (a group's name), or anything else (an address); 0 at the end. */
static char phrase_end(const struct parser *parser)
{
    for (size_t ahead = 0;; ahead++) {
        const struct token *token = peek(parser, ahead);
        if (token == NULL) {
            return 0;
        }
        bool part_of_phrase = token->kind != TOKEN_OPERATOR || joins(token);
        if (!part_of_phrase) {
            return token->text.ptr[0];
        }
    }
}

/* Words of a name, up to '<' or ':'. */
static void take_phrase(struct parser *parser, bool space)
{
    bool gap = space;
    const struct token *token;
    while ((token = peek(parser, 0)) != NULL &&
           (token->kind != TOKEN_OPERATOR || joins(token))) {
        bool joint = token->kind == TOKEN_OPERATOR;
        (void)add_part(parser, token->text, gap && !joint);
        gap = !joint;
        parser->at++;
    }
}

/* A word where an address may begin; PREVIOUS: an address without comma stood before.
 */
static void take_words(struct parser *parser, bool previous)
{
    char end = phrase_end(parser);
    if (end == '<') {
        bool space = !previous && parser->part_count > 0;
        if (previous) {
            add_comma(parser);
        }
        take_phrase(parser, space);
        take_angle(parser, true);
        return;
    }
    if (previous) {
        add_comma(parser);
    }
    if (end == ':' && !next_is(parser, '@')) {
        take_phrase(parser, false);
        (void)add_part(parser, VIEW(":"), false);
        parser->at++;
        parser->space_next = true;
        return;
    }
    struct str comments = {0};
    skip_route(parser);
    struct view address = take_address(parser, false, &comments);
    if (address.len > 0) {
        add_address(parser, address, false);
    }
    add_comments(parser, &comments);
}

static void take_operator(struct parser *parser, bool *previous)
{
    const struct token *token = peek(parser, 0);
    if (is_operator(token, ',')) {
        add_comma(parser);
        *previous = false;
        parser->at++;
    } else if (is_operator(token, '<')) {
        take_angle(parser, *previous);
        *previous = true;
    } else {
        (void)add_part(parser, token->text, false); /* ';', stray '>' or ':' */
        *previous = is_operator(token, ';');
        parser->at++;
    }
}

static void group_tokens(struct parser *parser)
{
    bool previous = false; /* an address or group end without a comma after it */
    bool spaced = false;   /* a comment here is set off by a space */
    const struct token *token;
    while ((token = peek(parser, 0)) != NULL) {
        size_t before = parser->at;
        if (token->kind == TOKEN_COMMENT && previous) {
            (void)add_part(parser, token->text, spaced);
            parser->at++;
            spaced = true;
            continue;
        }
        if (token->kind == TOKEN_OPERATOR && !joins(token)) {
            take_operator(parser, &previous);
        } else {
            take_words(parser, previous);
            previous = true;
        }
        const struct token *last = &parser->tokens[parser->at - 1];
        spaced = last->kind != TOKEN_OPERATOR;
        if (is_operator(last, ':')) {
            previous = false;
        }
        CHECK(parser->at > before);
    }
}

void header_addresses_parse(struct arena *arena, struct view value, size_t limit,
                            struct header_addresses *out)
{
    struct lexer lexer = {.arena = arena, .rest = value, .limit = limit};
    cut_tokens(&lexer);
    struct parser parser = {
        .arena = arena, .tokens = lexer.tokens, .count = lexer.count};
    group_tokens(&parser);
    *out = (struct header_addresses){.parts = parser.parts, .count = parser.part_count};
}

/* --- printing ------------------------------------------------------------------- */

static void print_part(const struct header_part *part, struct str *out)
{
    if (!part->is_address) {
        str_add(out, part->text);
        return;
    }
    STR_AUTO struct str external = {0};
    address_quote(part->address, &external);
    str_add(out, str_view(&external));
}

void header_addresses_print(struct view name, const struct header_addresses *addresses,
                            struct str *out)
{
    STR_AUTO struct str element = {0}; /* what may not be torn apart */
    str_add(out, name);
    str_add_cstr(out, ":");
    size_t line = name.len + 1;
    bool first = true;
    bool ends_in_comma = false;
    for (size_t i = 0; i <= addresses->count; i++) {
        const struct header_part *part =
            i < addresses->count ? &addresses->parts[i] : NULL;
        bool ends = part == NULL || part->may_fold;
        if (ends) {
            bool fold = !first && line + 1 + element.len > LINE_MOST;
            str_add_cstr(out, fold ? "\n\t" : " ");
            str_add(out, str_view(&element));
            line = element.len + (fold ? 0 : line + 1);
            str_clear(&element);
            first = false;
        }
        if (part != NULL) {
            if (part->space_before && element.len > 0) {
                str_add_byte(&element, ' ');
            }
            print_part(part, &element);
            ends_in_comma = !part->is_address && view_equal_cstr(part->text, ",");
        }
    }
    if (ends_in_comma) { /* behind it stands an empty element */
        str_add_byte(out, ' ');
    }
}

void header_phrase_quote(struct view text, struct str *out)
{
    bool quote = false;
    for (size_t i = 0; i < text.len && !quote; i++) {
        char c = text.ptr[i];
        quote = is_special(c) || is_line_break(c) || c == '\0';
    }
    if (!quote) {
        str_add(out, text);
        return;
    }
    str_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\') {
            str_add_byte(out, '\\');
        }
        /* A line break would end the header. */
        str_add_byte(out, (char)(is_line_break(c) || c == '\0' ? ' ' : c));
    }
    str_add_byte(out, '"');
}
