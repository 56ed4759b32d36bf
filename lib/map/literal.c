/* SPDX-License-Identifier: MIT */
#include "map/literal.h"

#include <string.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/str.h"

enum {
    MAX_TEXTS = 64, /* of a set: /one|two|three/ */
    MAX_SETS = 16,  /* of an expression */
    MAX_DEPTH = 32  /* of groups */
};

struct parser {
    struct arena *arena;
    const char *at;
    enum literal_syntax syntax;
    unsigned depth;
    bool unknown; /* nothing may be concluded from what was read */
};

/* What must be there, in any order. */
struct needs {
    struct literal_set *first;
    size_t count;
};

static struct needs parse_alternatives(struct parser *parser);

/* --- sets -------------------------------------------------------------------- */

static void add_set(struct needs *needs, struct literal_set *set)
{
    if (needs->count < MAX_SETS) {
        needs->count++;
        set->next = needs->first;
        needs->first = set;
    }
}

static void add_all(struct needs *needs, const struct needs *more)
{
    struct literal_set *next;
    for (struct literal_set *set = more->first; set != NULL; set = next) {
        next = set->next;
        add_set(needs, set);
    }
}

/* End a run of literal characters. */
static void end_run(const struct parser *parser, struct needs *needs, struct str *run)
{
    if (run->len >= LITERAL_MIN) {
        struct literal_set *set = arena_alloc(parser->arena, sizeof(*set));
        set->texts = arena_alloc(parser->arena, sizeof(set->texts[0]));
        set->texts[0] = arena_view(parser->arena, str_view(run));
        set->count = 1;
        set->shortest = run->len;
        add_set(needs, set);
    }
    str_clear(run);
}

/* The set that says most. */
static const struct literal_set *best_set(const struct needs *needs)
{
    const struct literal_set *best = needs->first;
    for (const struct literal_set *set = needs->first; set != NULL; set = set->next) {
        if (set->shortest > best->shortest ||
            (set->shortest == best->shortest && set->count < best->count)) {
            best = set;
        }
    }
    return best;
}

/* One of two alternatives: a text of either.  SET NULL: nothing yet. */
static struct literal_set *unite(const struct parser *parser, struct literal_set *set,
                                 const struct literal_set *other)
{
    size_t before = set != NULL ? set->count : 0;
    struct literal_set *both = arena_alloc(parser->arena, sizeof(*both));
    both->count = before + other->count;
    both->shortest = set != NULL && set->shortest < other->shortest ? set->shortest
                                                                    : other->shortest;
    both->texts = arena_alloc(parser->arena, both->count * sizeof(both->texts[0]));
    for (size_t i = 0; i < both->count; i++) {
        both->texts[i] = i < before ? set->texts[i] : other->texts[i - before];
    }
    return both;
}

/* --- quantifiers ------------------------------------------------------------- */

enum quantifier {
    ONCE,     /* none */
    REPEATED, /* at least once */
    OPTIONAL
};

/* "{2}", "{2,}", "{2,5}" at the parser.  False: something else. */
static bool take_braces(struct parser *parser, enum quantifier *out)
{
    const char *at = parser->at + 1;
    if (!ascii_digit(*at)) {
        return false;
    }
    bool zero = true;
    for (; ascii_digit(*at); at++) {
        zero = zero && *at == '0';
    }
    if (*at == ',') {
        for (at++; ascii_digit(*at); at++) {
        }
    }
    if (*at != '}') {
        return false;
    }
    parser->at = at + 1;
    *out = zero ? OPTIONAL : REPEATED;
    return true;
}

static bool take_one_quantifier(struct parser *parser, enum quantifier *out)
{
    switch (*parser->at) {
    case '*':
    case '?':
        *out = OPTIONAL;
        break;
    case '+':
        *out = REPEATED;
        break;
    case '{':
        if (!take_braces(parser, out)) {
            parser->unknown = true; /* a character, or a quantifier of other releases */
        }
        return !parser->unknown;
    default:
        return false;
    }
    parser->at++;
    return true;
}

/* What follows an atom.  There may be several: "a{2}*". */
static enum quantifier take_quantifier(struct parser *parser)
{
    enum quantifier all = ONCE, one;
    while (take_one_quantifier(parser, &one)) {
        all = all == OPTIONAL ? OPTIONAL : one;
        if (parser->syntax == LITERAL_PCRE &&
            (*parser->at == '?' || *parser->at == '+')) {
            parser->at++; /* how greedy it is */
        }
    }
    return all;
}

/* --- atoms ------------------------------------------------------------------- */

/* "[:alpha:]" and kin within brackets; the parser stands at the inner "[". */
static void skip_named_class(struct parser *parser)
{
    char mark = parser->at[1];
    const char closing[] = {mark, ']', '\0'};
    const char *end = strstr(parser->at + 2, closing);
    if (end == NULL) {
        parser->unknown = true;
        return;
    }
    parser->at = end + 2;
}

/* "[...]"; the parser stands at the "[". */
static void skip_brackets(struct parser *parser)
{
    parser->at++;
    parser->at += *parser->at == '^';
    parser->at += *parser->at == ']';
    while (*parser->at != ']' && !parser->unknown) {
        bool escape = *parser->at == '\\' && parser->syntax == LITERAL_PCRE;
        if (*parser->at == '\0' ||
            (escape &&
             (parser->at[1] == 'Q' || parser->at[1] == 'E' || parser->at[1] == '\0'))) {
            parser->unknown = true;
        } else if (escape) {
            parser->at += 2;
        } else if (*parser->at == '[' && parser->at[1] != '\0' &&
                   strchr(":.=", parser->at[1]) != NULL) {
            skip_named_class(parser);
        } else {
            parser->at++;
        }
    }
    parser->at += *parser->at == ']';
}

/* "\x": a literal character goes to *C_OUT, "\0" stands for something else. */
static void take_escape(struct parser *parser, char *c_out)
{
    char c = parser->at[1];
    bool posix = parser->syntax == LITERAL_POSIX;
    *c_out = '\0';
    if (c == '\0') {
        parser->unknown = true;
        return;
    }
    parser->at += 2;
    if (ascii_alnum(c)) {
        /* Classes and assertions of one character. */
        const char *known = posix ? "wWsSbB" : "wWsSbBdDhHvVAzZRNnrtfe";
        parser->unknown = parser->unknown || strchr(known, c) == NULL ||
                          (c == 'N' && *parser->at == '{');
    } else if (!posix || strchr("<>`'", c) == NULL) {
        *c_out = c;
    }
}

/* "(?...": where the contents begin, or, for "(?i)", where the whole ends.  False: that
 * is all of it.  *ASSERTION_OUT: what follows is looked at, but not part of the match.
 */
static bool open_special_group(struct parser *parser, bool *assertion_out)
{
    static const char *const assertions[] = {"?=", "?!", "?<=", "?<!"};
    for (size_t i = 0; i < ARRAY_SIZE(assertions); i++) {
        if (strncmp(parser->at, assertions[i], strlen(assertions[i])) == 0) {
            parser->at += strlen(assertions[i]);
            *assertion_out = true;
            return true;
        }
    }
    if (strncmp(parser->at, "?>", 2) == 0) {
        parser->at += 2;
        return true;
    }
    const char *end = parser->at + 1;
    end += strspn(end, "imsU-");
    if (*end != ':' && (*end != ')' || end == parser->at + 1)) {
        parser->unknown = true;
        return false;
    }
    parser->at = end + 1;
    return *end == ':';
}

/* "(...)" and what follows it; the parser stands at the "(". */
static void take_group(struct parser *parser, struct needs *needs)
{
    bool assertion = false, has_contents = true;
    parser->at++;
    if (*parser->at == '*') {
        parser->unknown = true;
    } else if (*parser->at == '?' && parser->syntax == LITERAL_PCRE) {
        has_contents = open_special_group(parser, &assertion);
    }
    if (parser->unknown || !has_contents) {
        return;
    }
    if (++parser->depth > MAX_DEPTH) {
        parser->unknown = true;
        return;
    }
    struct needs inner = parse_alternatives(parser);
    parser->depth--;
    if (*parser->at != ')') {
        parser->unknown = true;
        return;
    }
    parser->at++;
    if (take_quantifier(parser) != OPTIONAL && !assertion) {
        add_all(needs, &inner);
    }
}

/* A character that stands for itself, and what follows it. */
static void take_character(struct parser *parser, char c, struct needs *needs,
                           struct str *run)
{
    enum quantifier quantifier = take_quantifier(parser);
    if (quantifier != OPTIONAL) {
        str_add_byte(run, ascii_lower(c));
    }
    if (quantifier != ONCE) {
        end_run(parser, needs, run);
    }
}

/* The next piece of a sequence. */
static void take_atom(struct parser *parser, struct needs *needs, struct str *run)
{
    char c = *parser->at;
    switch (c) {
    case '(':
        end_run(parser, needs, run);
        take_group(parser, needs);
        return;
    case '[':
        skip_brackets(parser);
        break;
    case '.':
    case '^':
    case '$':
        parser->at++;
        break;
    case '*':
    case '+':
    case '?':
    case '{':
        parser->unknown = true; /* of nothing */
        return;
    case '\\':
        take_escape(parser, &c);
        if (c != '\0' && !parser->unknown) {
            take_character(parser, c, needs, run);
            return;
        }
        break;
    default:
        parser->at++;
        take_character(parser, c, needs, run);
        return;
    }
    end_run(parser, needs, run);
    (void)take_quantifier(parser);
}

/* --- the whole --------------------------------------------------------------- */

static void parse_sequence(struct parser *parser, struct needs *needs)
{
    STR_AUTO struct str run = {0};
    while (!parser->unknown && *parser->at != '\0' && *parser->at != '|' &&
           *parser->at != ')') {
        take_atom(parser, needs, &run);
    }
    end_run(parser, needs, &run);
}

/* Up to a ")" or the end. */
static struct needs parse_alternatives(struct parser *parser)
{
    struct needs needs = {0};
    parse_sequence(parser, &needs);
    if (*parser->at != '|') {
        return needs;
    }
    bool known = needs.first != NULL;
    struct literal_set *any = known ? unite(parser, NULL, best_set(&needs)) : NULL;
    while (*parser->at == '|' && !parser->unknown) {
        parser->at++;
        struct needs other = {0};
        parse_sequence(parser, &other);
        known = known && other.first != NULL && any->count < MAX_TEXTS;
        if (known) {
            any = unite(parser, any, best_set(&other));
        }
    }
    needs = (struct needs){0};
    if (known) {
        add_set(&needs, any);
    }
    return needs;
}

struct literal_set *literal_sets(struct arena *arena, const char *expression,
                                 enum literal_syntax syntax)
{
    if (syntax == LITERAL_NONE) {
        return NULL;
    }
    struct parser parser = {.arena = arena, .at = expression, .syntax = syntax};
    struct needs needs = parse_alternatives(&parser);
    return parser.unknown || *parser.at != '\0' ? NULL : needs.first;
}
