/* SPDX-License-Identifier: MIT */
/* Literal keys held in memory: inline:{key=value ...} and texthash:/file. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/htab.h"
#include "base/log.h"
#include "map/fold.h"
#include "map/map_private.h"
#include "map/source.h"

struct entry {
    int line;
    size_t len;
    char value[];
};

struct text_table {
    struct map map;
    struct htab *entries;
    char *file;
};

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    (void)err;
    struct text_table *table = (struct text_table *)map;
    const struct entry *entry = htab_get(table->entries, key);
    if (entry == NULL) {
        return MAP_MISSING;
    }
    str_add(value_out, view_of(entry->value, entry->len));
    map->origin_file = table->file;
    map->origin_line = entry->line;
    return MAP_FOUND;
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    (void)err;
    struct text_table *table = (struct text_table *)map;
    size_t cursor = 0;
    struct view key;
    void *value;
    while (htab_next(table->entries, &cursor, &key, &value)) {
        const struct entry *entry = value;
        if (!visit(context, key, view_of(entry->value, entry->len))) {
            break;
        }
    }
    return OK;
}

static void close_table(struct map *map)
{
    struct text_table *table = (struct text_table *)map;
    htab_free(&table->entries, free);
    free(table->file);
    free(table);
}

static struct text_table *new_table(const char *file)
{
    struct text_table *table = xcalloc(1, sizeof(*table));
    table->entries = htab_new();
    table->file = file != NULL ? xstrdup(file) : NULL;
    return table;
}

static struct entry *new_entry(struct view value, int line)
{
    struct entry *entry = xmalloc(sizeof(*entry) + value.len);
    entry->line = line;
    entry->len = value.len;
    memcpy(entry->value, value.ptr, value.len);
    return entry;
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
    free(htab_put(table->entries, key, new_entry(value, 0))); /* the last one wins */
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
                                         .properties = MAP_TYPE_FOLDS,
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
    STR_AUTO struct str folded = {0};
    while (source_next(source, &line, &number)) {
        if (!source_split_entry(source, number, line, " -- ignoring this line", &key,
                                &value)) {
            continue;
        }
        key = stored_key(key, spec, &folded);
        if (htab_get(table->entries, key) != NULL) {
            log_warning("%s, line %d: duplicate entry: \"%.*s\"", source->title, number,
                        VIEW_ARG(key));
            continue;
        }
        CHECK(htab_put(table->entries, key, new_entry(value, number)) == NULL);
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
                                           .properties = MAP_TYPE_FOLDS,
                                           .open = open_texthash,
                                           .close = close_table,
                                           .find = find,
                                           .walk = walk};
