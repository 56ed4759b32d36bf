/* SPDX-License-Identifier: MIT */
/*
 * cidr: tables: networks instead of patterns, otherwise read like them.  Long stretches
 * of plain rules are indexed, so that a list of a hundred thousand networks costs no
 * more than a short one.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "base/number.h"
#include "map/block_index.h"
#include "map/block_text.h"
#include "map/file_value.h"
#include "map/map_private.h"
#include "map/source.h"
#include "net/address.h"

struct cidr_rule {
    struct net_block block;
    bool negated, is_if;
    size_t end;              /* of an IF: the first rule behind its ENDIF */
    struct stretch *stretch; /* that begins here, or NULL */
    int line;
    struct str value;
};

enum { SHORT_STRETCH = 16 }; /* tried faster one by one */

/* Rules FROM..END are neither IF nor negated, and only entered at FROM. */
struct stretch {
    size_t end;
    struct block_index *index;
};

struct cidr_table {
    struct map map;
    char *file;
    bool file_values;
    struct cidr_rule *rules;
    size_t count, capacity;
};

struct reader {
    struct cidr_table *table;
    int line;
    size_t *open_ifs;
    size_t depth;
};

/* --- reading ----------------------------------------------------------------- */

static void warn(const struct reader *reader, const char *text)
{
    log_warning("cidr map %s, line %d: %s: skipping this rule", reader->table->file,
                reader->line, text);
}

/* "!", network, and what follows in *REST.  False: reported. */
static bool take_block(const struct reader *reader, struct view *rest, bool whole_line,
                       struct cidr_rule *rule)
{
    struct view text = view_trim(*rest);
    while (text.len > 0 && text.ptr[0] == '!') {
        rule->negated = !rule->negated;
        text = view_trim(view_from(text, 1));
    }
    if (text.len == 0) {
        warn(reader, "no address pattern");
        return false;
    }
    size_t len = 0;
    while (len < text.len && (whole_line || !ascii_space(text.ptr[len]))) {
        len++;
    }
    STR_AUTO struct str reason = {0};
    if (!block_text_parse(view_first(text, len), &rule->block, &reason)) {
        warn(reader, str_ptr(&reason));
        return false;
    }
    *rest = view_trim(view_from(text, len));
    return true;
}

static void add_rule(struct reader *reader, const struct cidr_rule *rule)
{
    struct cidr_table *table = reader->table;
    if (table->count == table->capacity) {
        table->capacity = table->capacity > 0 ? 2 * table->capacity : 16;
        table->rules =
            xreallocarray(table->rules, table->capacity, sizeof(table->rules[0]));
        /* There cannot be more open IFs than rules. */
        reader->open_ifs = xreallocarray(reader->open_ifs, table->capacity,
                                         sizeof(reader->open_ifs[0]));
    }
    table->rules[table->count++] = *rule;
}

static void read_if(struct reader *reader, struct view rest)
{
    struct cidr_rule rule = {.is_if = true, .line = reader->line};
    if (take_block(reader, &rest, true, &rule)) {
        add_rule(reader, &rule);
        reader->open_ifs[reader->depth++] = reader->table->count - 1;
    }
}

static void read_endif(struct reader *reader, struct view rest)
{
    bool garbage = view_trim(rest).len > 0;
    if (garbage || reader->depth == 0) {
        warn(reader, garbage ? "garbage after ENDIF" : "ENDIF without IF");
        return;
    }
    size_t opened = reader->open_ifs[--reader->depth];
    reader->table->rules[opened].end = reader->table->count;
}

static bool load_value(const struct reader *reader, struct view names, struct str *out)
{
    struct err err;
    if (file_value_load(names, out, &err) == OK) {
        return true;
    }
    warn(reader, err.text);
    str_done(out);
    return false;
}

static void read_rule(struct reader *reader, struct view text)
{
    struct cidr_rule rule = {.line = reader->line};
    if (!take_block(reader, &text, false, &rule)) {
        return;
    }
    if (text.len == 0) {
        warn(reader, "no lookup result");
        return;
    }
    if (!reader->table->file_values) {
        str_set(&rule.value, text);
    } else if (!load_value(reader, text, &rule.value)) {
        return;
    }
    add_rule(reader, &rule);
}

static void read_line(struct reader *reader, struct view text)
{
    size_t word = 0;
    while (word < text.len && ascii_alpha(text.ptr[word])) {
        word++;
    }
    struct view verb = view_first(text, word);
    bool whole =
        word == text.len || ascii_space(text.ptr[word]) || text.ptr[word] == '!';
    if (whole && view_equal_nocase_cstr(verb, "if")) {
        read_if(reader, view_from(text, word));
    } else if (whole && view_equal_nocase_cstr(verb, "endif")) {
        read_endif(reader, view_from(text, word));
    } else {
        read_rule(reader, text);
    }
}

static bool is_plain(const struct cidr_rule *rule)
{
    return !rule->is_if && !rule->negated;
}

static void index_stretch(struct cidr_table *table, size_t from, size_t end)
{
    if (end - from < SHORT_STRETCH) {
        return;
    }
    struct stretch *stretch = xcalloc(1, sizeof(*stretch));
    stretch->end = end;
    stretch->index = block_index_new();
    for (size_t i = from; i < end; i++) {
        block_index_add(stretch->index, &table->rules[i].block, i);
    }
    table->rules[from].stretch = stretch;
}

/* An ENDIF is a place where a lookup may go on: stretches end there. */
static void index_stretches(struct cidr_table *table)
{
    bool *entered = xcalloc(table->count + 1, sizeof(entered[0]));
    for (size_t i = 0; i < table->count; i++) {
        if (table->rules[i].is_if) {
            entered[table->rules[i].end] = true;
        }
    }
    size_t from = 0;
    while (from < table->count) {
        size_t end = from;
        while (end < table->count && is_plain(&table->rules[end]) &&
               (end == from || !entered[end])) {
            end++;
        }
        index_stretch(table, from, end);
        from = end > from ? end : from + 1;
    }
    free(entered);
}

static void read_all(struct cidr_table *table, struct source *source)
{
    struct reader reader = {.table = table};
    struct view text;
    while (source_next(source, &text, &reader.line)) {
        read_line(&reader, text);
    }
    while (reader.depth > 0) {
        struct cidr_rule *rule = &table->rules[reader.open_ifs[--reader.depth]];
        log_warning("cidr map %s, line %d: IF has no matching ENDIF", table->file,
                    rule->line);
        rule->end = table->count;
    }
    free(reader.open_ifs);
    index_stretches(table);
}

/* --- lookups ----------------------------------------------------------------- */

/* "!192.168.0.0/16" speaks of IPv4 addresses only. */
static bool rule_matches(const struct cidr_rule *rule,
                         const struct net_address *address)
{
    return net_address_is_v6(&rule->block.address) == net_address_is_v6(address) &&
           net_block_contains(&rule->block, address) != rule->negated;
}

/* The rule at NEXT or, of a stretch, the one that counts.  False: none of it matches,
 * and *NEXT is where to go on. */
static bool try_rule(const struct cidr_table *table, const struct net_address *address,
                     size_t *next)
{
    const struct cidr_rule *rule = &table->rules[*next];
    if (rule->stretch != NULL) {
        bool found = block_index_find(rule->stretch->index, address, next);
        *next = found ? *next : rule->stretch->end;
        return found;
    }
    bool hit = rule_matches(rule, address);
    if (!hit) {
        *next = rule->is_if ? rule->end : *next + 1;
    }
    return hit;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    (void)err;
    struct cidr_table *table = (struct cidr_table *)map;
    struct net_address address;
    if (!net_address_parse(key, 0, &address)) {
        return MAP_MISSING; /* access lists look up names too */
    }
    size_t next = 0;
    while (next < table->count) {
        if (!try_rule(table, &address, &next)) {
            continue;
        }
        const struct cidr_rule *rule = &table->rules[next];
        if (!rule->is_if) {
            str_add(value_out, str_view(&rule->value));
            map->origin_file = table->file;
            map->origin_line = rule->line;
            return MAP_FOUND;
        }
        next++;
    }
    return MAP_MISSING;
}

static void close_table(struct map *map)
{
    struct cidr_table *table = (struct cidr_table *)map;
    for (size_t i = 0; i < table->count; i++) {
        str_done(&table->rules[i].value);
        if (table->rules[i].stretch != NULL) {
            block_index_free(&table->rules[i].stretch->index);
            free(table->rules[i].stretch);
        }
    }
    free(table->rules);
    free(table->file);
    free(table);
}

static struct map *open_table(const struct map_spec *spec, struct err *err)
{
    struct source source;
    struct err why = {0};
    bool text = spec->name[0] == '{';
    if (text && source_open_inline(&source, spec->name, &why) != OK) {
        (void)err_perm(err, "4.3.0", "cidr map: %s", why.text);
        return NULL;
    }
    if (!text && source_open(&source, spec->name, err) != OK) {
        return NULL;
    }
    struct cidr_table *table = xcalloc(1, sizeof(*table));
    table->file = xstrdup(spec->name);
    table->file_values = (spec->flags & MAP_FILE_VALUES) != 0;
    table->map.owner = source_owner(&source);
    read_all(table, &source);
    if (source_failed(&source)) {
        (void)err_temp(err, "4.3.0", "read %s: %m", spec->name);
        close_table(&table->map);
        table = NULL;
    }
    source_done(&source);
    return table != NULL ? &table->map : NULL;
}

const struct map_type map_type_cidr = {.name = "cidr",
                                       .properties = MAP_TYPE_PATTERN | MAP_TYPE_LOADS,
                                       .open = open_table,
                                       .close = close_table,
                                       .find = find};
