/* SPDX-License-Identifier: MIT */
/*
 * Rules of pattern tables:
 *
 *     /expression/options result       !/expression/options result
 *     if /expression/options ... endif
 *
 * A rule that cannot be used is reported with its line and left out; the rest of the
 * table works.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "map/file_value.h"
#include "map/pattern.h"

struct reader {
    struct pattern_table *table;
    const struct conf *conf;
    unsigned flags;
    int line;
    char place[PATTERN_PLACE];       /* "regexp map FILE, line N" */
    struct arena literals;           /* of SETS */
    const struct literal_set **sets; /* of the rules' first expressions */
    size_t *open_ifs;                /* indexes of rules */
    size_t depth, depth_capacity;
};

/* --- pieces of a line -------------------------------------------------------- */

struct written_expr {
    struct view body;
    unsigned flags;
    bool negated;
};

static struct view skip_space(struct view text)
{
    while (text.len > 0 && ascii_space(text.ptr[0])) {
        text = view_from(text, 1);
    }
    return text;
}

/* Index of the delimiter that ends the expression whose first byte is at 1; len: none.
 */
static size_t find_delimiter(struct view text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == '\\') {
            i++;
        } else if (text.ptr[i] == text.ptr[0]) {
            return i;
        }
    }
    return text.len;
}

static bool take_expr(const struct reader *reader, struct view *rest,
                      struct written_expr *out)
{
    const struct pattern_engine *engine = reader->table->engine;
    struct view text = skip_space(*rest);
    *out = (struct written_expr){0};
    while (text.len > 0 && text.ptr[0] == '!') {
        out->negated = !out->negated;
        text = skip_space(view_from(text, 1));
    }
    if (text.len == 0) {
        log_warning("%s: no regexp: skipping this rule", reader->place);
        return false;
    }
    size_t end = find_delimiter(text);
    if (end == text.len) {
        log_warning("%s: no closing regexp delimiter \"%c\": %s this rule",
                    reader->place, text.ptr[0], engine->unclosed);
        return false;
    }
    out->body = view_of(text.ptr + 1, end - 1);
    text = view_from(text, end + 1);
    size_t options = 0;
    while (options < text.len && !ascii_space(text.ptr[options]) &&
           !(engine->second_pattern && text.ptr[options] == '!')) {
        options++;
    }
    *rest = view_from(text, options);
    return engine->parse_options(view_first(text, options), reader->place, &out->flags);
}

static bool compile_expr(struct reader *reader, const struct written_expr *written,
                         bool want_groups, struct pattern_expr *out)
{
    char *body = xviewdup(written->body);
    const struct pattern_text text = {body, written->flags, want_groups};
    struct pattern_table *table = reader->table;
    bool ok = table->engine->compile(reader->conf, &text, reader->place, out);
    if (ok && out == &table->rules[table->count - 1].expr) {
        reader->sets[table->count - 1] =
            literal_sets(&reader->literals, body, out->syntax);
    }
    free(body);
    out->negated = written->negated;
    return ok;
}

/* --- rules ------------------------------------------------------------------- */

static struct pattern_rule *add_rule(struct reader *reader)
{
    struct pattern_table *table = reader->table;
    if (table->count == table->capacity) {
        table->capacity = table->capacity > 0 ? 2 * table->capacity : 16;
        table->rules =
            xreallocarray(table->rules, table->capacity, sizeof(table->rules[0]));
        reader->sets =
            xreallocarray(reader->sets, table->capacity, sizeof(reader->sets[0]));
    }
    struct pattern_rule *rule = &table->rules[table->count++];
    *rule = (struct pattern_rule){.line = reader->line};
    return rule;
}

static void drop_rule(struct reader *reader)
{
    CHECK(reader->table->count > 0);
    struct pattern_rule *rule = &reader->table->rules[--reader->table->count];
    pattern_expr_free(&rule->expr);
    pattern_expr_free(&rule->except);
}

static void read_if(struct reader *reader, struct view rest)
{
    struct written_expr written;
    if (!take_expr(reader, &rest, &written)) {
        return;
    }
    rest = view_trim(rest);
    if (rest.len > 0) {
        log_warning("%s: ignoring extra text after IF statement: \"%.*s\"",
                    reader->place, VIEW_ARG(rest));
        log_warning("%s: do not prepend whitespace to statements between IF and ENDIF",
                    reader->place);
    }
    struct pattern_rule *rule = add_rule(reader);
    rule->is_if = true;
    if (!compile_expr(reader, &written, false, &rule->expr)) {
        drop_rule(reader);
        return;
    }
    if (reader->depth == reader->depth_capacity) {
        reader->depth_capacity =
            reader->depth_capacity > 0 ? 2 * reader->depth_capacity : 8;
        reader->open_ifs = xreallocarray(reader->open_ifs, reader->depth_capacity,
                                         sizeof(reader->open_ifs[0]));
    }
    reader->open_ifs[reader->depth++] = reader->table->count - 1;
}

static void read_endif(struct reader *reader, struct view rest)
{
    if (reader->depth == 0) {
        log_warning("%s: ignoring ENDIF without matching IF", reader->place);
        return;
    }
    if (view_trim(rest).len > 0) {
        log_warning("%s: ignoring extra text after ENDIF", reader->place);
    }
    size_t opened = reader->open_ifs[--reader->depth];
    reader->table->rules[opened].end = reader->table->count;
}

/* The replacement of a rule: may it use groups, and does the expression have them? */
static bool check_template(const struct reader *reader, const struct template *template,
                           const struct written_expr *written)
{
    if (template->max_group == 0) {
        return true;
    }
    if (written->negated) {
        log_warning("%s: $number found in negative match replacement text: "
                    "skipping this rule",
                    reader->place);
        return false;
    }
    if ((reader->flags & MAP_NO_REGSUB) != 0) {
        log_warning("%s: regular expression substitution is not allowed: "
                    "skipping this rule",
                    reader->place);
        return false;
    }
    return true;
}

/* The result of a rule: text with references to groups, or the content of files. */
static bool read_template(struct reader *reader, struct view text,
                          struct template *template)
{
    struct arena *arena = &reader->table->arena;
    if ((reader->flags & MAP_FILE_VALUES) == 0) {
        return template_parse(arena, reader->table->engine, reader->place, text,
                              template);
    }
    STR_AUTO struct str content = {0};
    struct err err;
    if (file_value_load(text, &content, &err) != OK) {
        log_warning("%s: %s: skipping this rule", reader->place, err.text);
        return false;
    }
    template_set_text(arena, str_view(&content), template);
    return true;
}

/* Fill RULE, whose text is written in two expressions at most.  False: reported. */
static bool fill_rule(struct reader *reader, struct pattern_rule *rule,
                      struct view rest)
{
    struct written_expr first, second;
    if (!take_expr(reader, &rest, &first)) {
        return false;
    }
    bool has_second = rest.len > 0 && rest.ptr[0] == '!';
    if (has_second && !take_expr(reader, &rest, &second)) {
        return false;
    }
    rest = view_trim(rest);
    if (rest.len == 0) {
        log_warning("%s: no replacement text: using empty string", reader->place);
    }
    if (!read_template(reader, rest, &rule->template) ||
        !check_template(reader, &rule->template, &first) ||
        !compile_expr(reader, &first, rule->template.max_group > 0, &rule->expr) ||
        (has_second && !compile_expr(reader, &second, false, &rule->except))) {
        return false;
    }
    if (rule->template.max_group > rule->expr.groups) {
        log_warning("%s: out of range replacement index \"%u\": skipping this rule",
                    reader->place, rule->template.max_group);
        return false;
    }
    return true;
}

static void read_rule(struct reader *reader, struct view text)
{
    struct pattern_rule *rule = add_rule(reader);
    if (!fill_rule(reader, rule, text)) {
        drop_rule(reader);
        return;
    }
    if (rule->template.max_group + 1 > reader->table->group_count) {
        reader->table->group_count = rule->template.max_group + 1;
    }
}

static void set_place(struct reader *reader, int line)
{
    reader->line = line;
    (void)snprintf(reader->place, sizeof(reader->place), "%s map %s, line %d",
                   reader->table->engine->name, reader->table->file, line);
}

static void read_line(struct reader *reader, struct view text)
{
    size_t word = 0;
    while (word < text.len && ascii_alnum(text.ptr[word])) {
        word++;
    }
    struct view verb = view_first(text, word);
    if (verb.len == 0) {
        read_rule(reader, text);
    } else if (view_equal_nocase_cstr(verb, "if")) {
        read_if(reader, view_from(text, word));
    } else if (view_equal_nocase_cstr(verb, "endif")) {
        read_endif(reader, view_from(text, word));
    } else {
        log_warning("%s: ignoring unrecognized request", reader->place);
    }
}

/* Rules that act when their expression does not match are looked at whatever it says.
 */
static void make_filter(struct reader *reader)
{
    struct pattern_table *table = reader->table;
    table->filter = pattern_filter_new(reader->sets, table->count);
    for (size_t i = 0; table->filter != NULL && i < table->count; i++) {
        if (table->rules[i].is_if || table->rules[i].expr.negated) {
            pattern_filter_always(table->filter, i);
        }
    }
}

void pattern_read(struct pattern_table *table, const struct conf *conf, unsigned flags,
                  struct source *source)
{
    struct reader reader = {.table = table, .conf = conf, .flags = flags};
    table->group_count = 1;
    struct view text;
    int line;
    while (source_next(source, &text, &line)) {
        set_place(&reader, line);
        read_line(&reader, text);
    }
    while (reader.depth > 0) {
        struct pattern_rule *rule = &table->rules[reader.open_ifs[--reader.depth]];
        set_place(&reader, rule->line);
        log_warning("%s: IF has no matching ENDIF", reader.place);
        rule->end = table->count;
    }
    make_filter(&reader);
    arena_clear(&reader.literals);
    free(reader.sets);
    free(reader.open_ifs);
    table->groups = xcalloc(table->group_count, sizeof(table->groups[0]));
}
