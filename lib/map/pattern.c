/* SPDX-License-Identifier: MIT */
/*
 * Lookups in pattern tables, and the table types regexp: and pcre:.  The whole
 * table is read when it is opened; changes count when the worker starts anew.
 */
#include "map/pattern.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"

static bool expr_matches(struct pattern_table *table, const struct pattern_rule *rule,
                         const struct pattern_expr *expr, struct view key,
                         size_t groups)
{
    char reason[PATTERN_REASON] = "";
    bool hit =
        expr->engine->match(expr, key, table->groups, groups, reason, sizeof(reason));
    if (reason[0] != '\0') {
        log_warning("%s map %s, line %d: %s", table->engine->name, table->file,
                    rule->line, reason);
        return false;
    }
    return hit != expr->negated;
}

static bool rule_matches(struct pattern_table *table, size_t number, struct view key)
{
    const struct pattern_rule *rule = &table->rules[number];
    if (table->filter != NULL && !pattern_filter_may_match(table->filter, number)) {
        return rule->expr.negated && (rule->except.engine == NULL ||
                                      expr_matches(table, rule, &rule->except, key, 1));
    }
    /* The second expression first: the first one's groups must survive. */
    if (rule->except.engine != NULL &&
        !expr_matches(table, rule, &rule->except, key, 1)) {
        return false;
    }
    return expr_matches(table, rule, &rule->expr, key, rule->template.max_group + 1);
}

/* The first rule from NEXT on that is worth a closer look. */
static size_t first_rule(const struct pattern_table *table, size_t next)
{
    return table->filter != NULL && next < table->count
               ? pattern_filter_next(table->filter, next)
               : next;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    (void)err;
    struct pattern_table *table = (struct pattern_table *)map;
    if (table->filter != NULL) {
        pattern_filter_look(table->filter, key);
    }
    for (size_t next = first_rule(table, 0); next < table->count;) {
        const struct pattern_rule *rule = &table->rules[next];
        bool hit = rule_matches(table, next, key);
        if (hit && !rule->is_if) {
            template_fill(&rule->template, table->groups, value_out);
            map->origin_file = table->file;
            map->origin_line = rule->line;
            return MAP_FOUND;
        }
        next = first_rule(table, rule->is_if && !hit ? rule->end : next + 1);
        CHECK(next <= table->count);
    }
    return MAP_MISSING;
}

void pattern_expr_free(struct pattern_expr *expr)
{
    if (expr->engine != NULL) {
        expr->engine->free(expr);
        *expr = (struct pattern_expr){0};
    }
}

static void close_table(struct map *map)
{
    struct pattern_table *table = (struct pattern_table *)map;
    for (size_t i = 0; i < table->count; i++) {
        pattern_expr_free(&table->rules[i].expr);
        pattern_expr_free(&table->rules[i].except);
    }
    pattern_filter_free(&table->filter);
    free(table->rules);
    free(table->groups);
    free(table->file);
    arena_clear(&table->arena);
    free(table);
}

static enum outcome open_source(const struct map_spec *spec, struct source *source,
                                struct err *err)
{
    if (spec->name[0] != '{') {
        return source_open(source, spec->name, err);
    }
    struct err why = {0};
    if (source_open_inline(source, spec->name, &why) != OK) {
        return err_perm(err, "4.3.0", "%s map: %s", spec->type, why.text);
    }
    return OK;
}

static struct map *open_table(const struct map_spec *spec,
                              const struct pattern_engine *engine, struct err *err)
{
    struct source source;
    if (open_source(spec, &source, err) != OK) {
        return NULL;
    }
    struct pattern_table *table = xcalloc(1, sizeof(*table));
    table->engine = engine;
    table->file = xstrdup(spec->name);
    table->map.owner = source_owner(&source);
    pattern_read(table, spec->conf, spec->flags, &source);
    if (source_failed(&source)) {
        (void)err_temp(err, "4.3.0", "read %s: %m", spec->name);
        source_done(&source);
        close_table(&table->map);
        return NULL;
    }
    source_done(&source);
    return &table->map;
}

static struct map *open_regexp(const struct map_spec *spec, struct err *err)
{
    return open_table(spec, &pattern_posix, err);
}

static struct map *open_pcre(const struct map_spec *spec, struct err *err)
{
    return open_table(spec, &pattern_pcre, err);
}

const struct map_type map_type_regexp = {.name = "regexp",
                                         .properties =
                                             MAP_TYPE_PATTERN | MAP_TYPE_LOADS,
                                         .open = open_regexp,
                                         .close = close_table,
                                         .find = find};

const struct map_type map_type_pcre = {.name = "pcre",
                                       .properties = MAP_TYPE_PATTERN | MAP_TYPE_LOADS,
                                       .open = open_pcre,
                                       .close = close_table,
                                       .find = find};
