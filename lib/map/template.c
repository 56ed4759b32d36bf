/* SPDX-License-Identifier: MIT */
/* Replacement text of pattern rules: $1, ${1} and $(1) are groups, $$ is a dollar sign.
 */
#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "base/number.h"
#include "map/pattern.h"

struct parse {
    struct arena *arena;
    const struct pattern_engine *engine;
    const char *place;
    struct view text;
    struct template *out;
    size_t capacity;
    bool bad;
};

static void add_part(struct parse *parse, struct view text, unsigned group)
{
    struct template *out = parse->out;
    if (text.len == 0 && group == 0) {
        return;
    }
    CHECK(out->count < parse->capacity);
    out->parts[out->count++] = (struct template_part){text, group};
    if (group > out->max_group) {
        out->max_group = group;
    }
}

static void add_group(struct parse *parse, struct view name)
{
    uint64_t group;
    bool digits = name.len > 0;
    for (size_t i = 0; i < name.len; i++) {
        digits = digits && ascii_digit(name.ptr[i]);
    }
    if (!digits) {
        log_warning("%s: non-numeric replacement index \"%.*s\"", parse->place,
                    VIEW_ARG(name));
        parse->bad = true;
    } else if (!number_parse_u64(name, PATTERN_MAX_GROUP, &group) || group == 0) {
        log_warning("%s: %s replacement index \"%.*s\"", parse->place,
                    parse->engine->bad_index, VIEW_ARG(name));
        parse->bad = true;
    } else {
        add_part(parse, view_of("", 0), (unsigned)group);
    }
}

/* Length of "{name}" at the start of REST, or 0 if it does not end. */
static size_t bracketed_length(struct view rest, char open, char close)
{
    size_t depth = 0;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == open) {
            depth++;
        } else if (rest.ptr[i] == close && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* What stands behind a '$'.  The bytes used up; 0: a syntax error, reported. */
static size_t parse_reference(struct parse *parse, struct view rest)
{
    char first = rest.len > 0 ? rest.ptr[0] : '\0';
    if (first == '$') {
        add_part(parse, view_first(rest, 1), 0);
        return 1;
    }
    struct view name;
    size_t used;
    if (first == '{' || first == '(') {
        used = bracketed_length(rest, first, first == '{' ? '}' : ')');
        if (used == 0) {
            log_warning("truncated macro reference: \"%.*s\"", VIEW_ARG(parse->text));
            return 0;
        }
        name = view_of(rest.ptr + 1, used - 2);
    } else {
        used = 0;
        while (used < rest.len &&
               (ascii_alnum(rest.ptr[used]) || rest.ptr[used] == '_')) {
            used++;
        }
        name = view_first(rest, used);
    }
    if (name.len == 0) {
        log_warning("empty macro name: \"%.*s\"", VIEW_ARG(parse->text));
        return 0;
    }
    add_group(parse, name);
    return used;
}

static void parse_all(struct parse *parse)
{
    struct view rest = parse->text;
    while (rest.len > 0) {
        size_t dollar = view_index(rest, '$');
        add_part(parse, view_first(rest, dollar), 0);
        if (dollar == rest.len) {
            return;
        }
        rest = view_from(rest, dollar + 1);
        size_t used = parse_reference(parse, rest);
        if (used == 0) {
            parse->bad = true;
            return;
        }
        rest = view_from(rest, used);
    }
}

bool template_parse(struct arena *arena, const struct pattern_engine *engine,
                    const char *place, struct view text, struct template *out)
{
    size_t dollars = 0;
    for (size_t i = 0; i < text.len; i++) {
        dollars += text.ptr[i] == '$';
    }
    struct parse parse = {.arena = arena,
                          .engine = engine,
                          .place = place,
                          .text = arena_view(arena, text),
                          .out = out,
                          .capacity = 2 * dollars + 1};
    *out = (struct template){0};
    out->parts = arena_alloc(arena, parse.capacity * sizeof(out->parts[0]));
    parse_all(&parse);
    if (parse.bad) {
        log_warning("%s: bad replacement syntax: skipping this rule", place);
    }
    return !parse.bad;
}

void template_set_text(struct arena *arena, struct view text, struct template *out)
{
    *out = (struct template){.count = 1};
    out->parts = arena_alloc(arena, sizeof(out->parts[0]));
    out->parts[0].text = arena_view(arena, text);
}

void template_fill(const struct template *template, const struct view *groups,
                   struct str *out)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        str_add(out, part->group != 0 ? groups[part->group] : part->text);
    }
}
