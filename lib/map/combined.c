/* SPDX-License-Identifier: MIT */
/*
 * Tables made of tables: unionmap:{all answers, joined}, pipemap:{each answer is the
 * next one's key}, randmap:{one of these values}.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "map/file_value.h"
#include "map/map_private.h"

struct combined {
    struct map map;
    struct map **parts;
    struct str *values; /* of randmap: */
    size_t count;
};

static bool next_item(struct view *rest, size_t *count, struct view *item)
{
    bool more = conf_list_next(rest, item);
    *count += more;
    return more;
}

static size_t count_items(struct view rest)
{
    size_t count = 0;
    struct view item;
    while (next_item(&rest, &count, &item)) {
    }
    return count;
}

static void close_combined(struct map *map)
{
    struct combined *self = (struct combined *)map;
    for (size_t i = 0; i < self->count; i++) {
        if (self->parts != NULL) {
            map_close(&self->parts[i]);
        }
        if (self->values != NULL) {
            str_done(&self->values[i]);
        }
    }
    free(self->parts);
    free(self->values);
    free(self);
}

/* The items between the braces; WANTED as in "type:name". */
static bool split_items(const struct map_spec *spec, const char *wanted,
                        struct view *items_out, struct err *err)
{
    if (map_unbrace(view_cstr(spec->name), items_out, NULL) && items_out->len > 0) {
        return true;
    }
    (void)err_perm(err, "4.3.0", "bad syntax: \"%s\"; need \"%s:{%s...}\"", spec->title,
                   spec->type, wanted);
    return false;
}

static struct map *open_tables(const struct map_spec *spec, struct err *err)
{
    struct view rest, item;
    if (!split_items(spec, "type:name", &rest, err)) {
        return NULL;
    }
    struct combined *self = xcalloc(1, sizeof(*self));
    self->parts = xcalloc(count_items(rest), sizeof(self->parts[0]));
    while (conf_list_next(&rest, &item)) {
        struct map *part = map_open(spec->conf, item, spec->flags);
        self->parts[self->count++] = part;
        if (map_open_error(part) != NULL) {
            (void)err_perm(err, "4.3.0", "%s", map_open_error(part));
            close_combined(&self->map);
            return NULL;
        }
        if (map_owner(part) != 0) {
            self->map.owner = map_owner(part);
        }
    }
    return &self->map;
}

static bool changed(struct map *map)
{
    struct combined *self = (struct combined *)map;
    for (size_t i = 0; i < self->count; i++) {
        if (map_changed(self->parts[i])) {
            return true;
        }
    }
    return false;
}

static enum map_result find_union(struct map *map, struct view key,
                                  struct str *value_out, struct err *err)
{
    struct combined *self = (struct combined *)map;
    STR_AUTO struct str part = {0};
    enum map_result all = MAP_MISSING;
    for (size_t i = 0; i < self->count; i++) {
        enum map_result one = map_find(self->parts[i], key, &part, err);
        if (one == MAP_ERROR) {
            return MAP_ERROR;
        }
        if (one == MAP_FOUND) {
            if (all == MAP_FOUND) {
                str_add_byte(value_out, ',');
            }
            str_add(value_out, str_view(&part));
            all = MAP_FOUND;
        }
    }
    return all;
}

static enum map_result find_pipe(struct map *map, struct view key,
                                 struct str *value_out, struct err *err)
{
    struct combined *self = (struct combined *)map;
    STR_AUTO struct str question = {0};
    str_add(&question, key);
    for (size_t i = 0; i < self->count; i++) {
        enum map_result one =
            map_find(self->parts[i], str_view(&question), value_out, err);
        if (one != MAP_FOUND) {
            return one;
        }
        str_set(&question, str_view(value_out));
    }
    return MAP_FOUND;
}

const struct map_type map_type_unionmap = {.name = "unionmap",
                                           .properties =
                                               MAP_TYPE_FOLDS | MAP_TYPE_LOADS,
                                           .open = open_tables,
                                           .close = close_combined,
                                           .find = find_union,
                                           .changed = changed};

const struct map_type map_type_pipemap = {.name = "pipemap",
                                          .properties = MAP_TYPE_FOLDS | MAP_TYPE_LOADS,
                                          .open = open_tables,
                                          .close = close_combined,
                                          .find = find_pipe,
                                          .changed = changed};

/* --- randmap ----------------------------------------------------------------- */

static struct map *open_values(const struct map_spec *spec, struct err *err)
{
    struct view rest, item;
    if (!split_items(spec, "value", &rest, err)) {
        return NULL;
    }
    struct combined *self = xcalloc(1, sizeof(*self));
    self->values = xcalloc(count_items(rest), sizeof(self->values[0]));
    while (conf_list_next(&rest, &item)) {
        (void)map_unbrace(item, &item, NULL); /* bare words have none */
        struct str *value = &self->values[self->count++];
        if ((spec->flags & MAP_FILE_VALUES) == 0) {
            str_set(value, item);
        } else if (file_value_load(item, value, err) != OK) {
            close_combined(&self->map);
            return NULL;
        }
    }
    return &self->map;
}

static enum map_result find_random(struct map *map, struct view key,
                                   struct str *value_out, struct err *err)
{
    (void)key;
    (void)err;
    const struct combined *self = (const struct combined *)map;
    CHECK(self->count > 0);
    unsigned long number = 0;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        number = 0; /* as good a choice as any */
    }
    str_add(value_out, str_view(&self->values[number % self->count]));
    return MAP_FOUND;
}

const struct map_type map_type_randmap = {.name = "randmap",
                                          .properties = MAP_TYPE_LOADS,
                                          .open = open_values,
                                          .close = close_combined,
                                          .find = find_random};
