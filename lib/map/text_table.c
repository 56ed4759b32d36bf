/* SPDX-License-Identifier: MIT */
/* Literal keys held in memory: inline:{key=value ...} and texthash:/file. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/htab.h"
#include "base/log.h"
#include "map/file_value.h"
#include "map/fold.h"
#include "map/map_private.h"
#include "map/source.h"

struct entry {
    struct entry *next; /* in the order of the source */
    struct view key, value;
    int line;
};

struct text_table {
    struct map map;
    struct htab *index;
    struct entry *first, **last;
    struct arena arena; /* entries */
    char *file;
};

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    (void)err;
    struct text_table *table = (struct text_table *)map;
    const struct entry *entry = htab_get(table->index, key);
    if (entry == NULL) {
        return MAP_MISSING;
    }
    str_add(value_out, entry->value);
    map->origin_file = table->file;
    map->origin_line = entry->line;
    return MAP_FOUND;
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    (void)err;
    const struct text_table *table = (struct text_table *)map;
    const struct entry *entry = table->first;
    while (entry != NULL && visit(context, entry->key, entry->value)) {
        entry = entry->next;
    }
    return OK;
}

static void close_table(struct map *map)
{
    struct text_table *table = (struct text_table *)map;
    htab_free(&table->index, NULL);
    arena_clear(&table->arena);
    free(table->file);
    free(table);
}

static struct text_table *new_table(const char *file)
{
    struct text_table *table = xcalloc(1, sizeof(*table));
    table->index = htab_new();
    table->last = &table->first;
    table->file = file != NULL ? xstrdup(file) : NULL;
    return table;
}

static void add_entry(struct text_table *table, struct view key, struct view value,
                      int line)
{
    struct entry *entry = arena_alloc(&table->arena, sizeof(*entry));
    entry->key = arena_view(&table->arena, key);
    entry->value = arena_view(&table->arena, value);
    entry->line = line;
    *table->last = entry;
    table->last = &entry->next;
    CHECK(htab_put(table->index, entry->key, entry) == NULL);
}

/* The key as it is stored: in KEY itself or in FOLDED. */
static struct view stored_key(struct view key, const struct map_spec *spec,
                              struct str *folded)
{
    if ((spec->flags & MAP_FOLD) == 0) {
        return key;
    }
    fold_key(key, fold_utf8_wanted(spec->conf, spec->flags), folded);
    return str_view(folded);
}

/* --- inline ------------------------------------------------------------------ */

static bool syntax_error(const struct map_spec *spec, const char *what, struct err *err)
{
    (void)err_perm(err, "4.3.0", "%s: \"%s\"; need \"inline:{name=value...}\"", what,
                   spec->title);
    return false;
}

static bool add_inline(struct text_table *table, const struct map_spec *spec,
                       struct view item, struct err *err)
{
    struct err why = {0};
    if (item.ptr[0] == '{' && !map_unbrace(item, &item, &why)) {
        return syntax_error(spec, why.text, err);
    }
    size_t equals = view_index(item, '=');
    if (equals == item.len) {
        return syntax_error(spec, "missing '=' after attribute name", err);
    }
    STR_AUTO struct str folded = {0};
    struct view key = stored_key(view_trim(view_first(item, equals)), spec, &folded);
    struct view value = view_trim(view_from(item, equals + 1));
    STR_AUTO struct str content = {0};
    if ((spec->flags & MAP_FILE_VALUES) != 0) {
        if (file_value_load(value, &content, &why) != OK) {
            (void)err_perm(err, "4.3.0",
                           "%s: \"%s\"; need \"inline:{name=filename...}\"", why.text,
                           spec->title);
            return false;
        }
        value = str_view(&content);
    }
    struct entry *old = htab_get(table->index, key);
    if (old != NULL) { /* the last one wins */
        old->value = arena_view(&table->arena, value);
    } else {
        add_entry(table, key, value, 0);
    }
    return true;
}

static struct map *open_inline(const struct map_spec *spec, struct err *err)
{
    struct view rest, item;
    if (!map_unbrace(view_cstr(spec->name), &rest, NULL) || rest.len == 0) {
        (void)syntax_error(spec, "bad syntax", err);
        return NULL;
    }
    struct text_table *table = new_table(NULL);
    while (conf_list_next(&rest, &item)) {
        if (!add_inline(table, spec, item, err)) {
            close_table(&table->map);
            return NULL;
        }
    }
    return &table->map;
}

const struct map_type map_type_inline = {.name = "inline",
                                         .properties = MAP_TYPE_FOLDS | MAP_TYPE_LOADS,
                                         .open = open_inline,
                                         .close = close_table,
                                         .find = find,
                                         .walk = walk};

/* --- texthash ---------------------------------------------------------------- */

static void read_texthash(struct text_table *table, const struct map_spec *spec,
                          struct source *source)
{
    struct view line, key, value;
    int number;
    struct err err;
    STR_AUTO struct str folded = {0};
    STR_AUTO struct str content = {0};
    while (source_next(source, &line, &number)) {
        if (!source_split_entry(source, number, line, " -- ignoring this line", &key,
                                &value)) {
            continue;
        }
        key = stored_key(key, spec, &folded);
        if (htab_get(table->index, key) != NULL) {
            log_warning("%s, line %d: duplicate entry: \"%.*s\"", source->title, number,
                        VIEW_ARG(key));
            continue;
        }
        if ((spec->flags & MAP_FILE_VALUES) != 0) {
            str_clear(&content);
            if (file_value_load(value, &content, &err) != OK) {
                log_warning("%s, line %d: %s: skipping this entry", source->title,
                            number, err.text);
                continue;
            }
            value = str_view(&content);
        }
        add_entry(table, key, value, number);
    }
}

static struct map *open_texthash(const struct map_spec *spec, struct err *err)
{
    struct source source;
    struct err why = {0};
    if (source_open(&source, spec->name, &why) != OK) {
        (void)err_temp(err, "4.3.0", "open database %s: %s", spec->name,
                       strerror(why.code));
        return NULL;
    }
    struct text_table *table = new_table(spec->name);
    table->map.owner = source_owner(&source);
    read_texthash(table, spec, &source);
    bool failed = source_failed(&source);
    source_done(&source);
    if (failed) {
        (void)err_temp(err, "4.3.0", "read %s: %m", spec->name);
        close_table(&table->map);
        return NULL;
    }
    return &table->map;
}

const struct map_type map_type_texthash = {.name = "texthash",
                                           .properties =
                                               MAP_TYPE_FOLDS | MAP_TYPE_LOADS,
                                           .open = open_texthash,
                                           .close = close_table,
                                           .find = find,
                                           .walk = walk};
