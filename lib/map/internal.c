/* SPDX-License-Identifier: MIT */
/* internal:name: entries that a process makes for itself and forgets with its end. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "map/map_private.h"

struct internal_map {
    struct map map;
    struct htab *entries; /* key -> struct str */
};

static void free_value(void *value)
{
    str_done(value);
    free(value);
}

static void close_map(struct map *map)
{
    struct internal_map *self = (struct internal_map *)map;
    htab_free(&self->entries, free_value);
    free(self);
}

static struct map *open_map(const struct map_spec *spec, struct err *err)
{
    (void)spec;
    (void)err;
    struct internal_map *self = xcalloc(1, sizeof(*self));
    self->entries = htab_new();
    return &self->map;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    (void)err;
    const struct str *value = htab_get(((struct internal_map *)map)->entries, key);
    if (value == NULL) {
        return MAP_MISSING;
    }
    str_add(value_out, str_view(value));
    return MAP_FOUND;
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    (void)err;
    const struct htab *entries = ((struct internal_map *)map)->entries;
    size_t cursor = 0;
    struct view key;
    void *value;
    while (htab_next(entries, &cursor, &key, &value) &&
           visit(context, key, str_view(value))) {
    }
    return OK;
}

static enum outcome put(struct map *map, struct view key, struct view value,
                        struct err *err)
{
    (void)err;
    struct htab *entries = ((struct internal_map *)map)->entries;
    struct str *entry = htab_get(entries, key);
    if (entry == NULL) {
        entry = xcalloc(1, sizeof(*entry));
        (void)htab_put(entries, key, entry);
    }
    str_set(entry, value);
    return OK;
}

static enum map_result remove_key(struct map *map, struct view key, struct err *err)
{
    (void)err;
    struct str *entry = htab_remove(((struct internal_map *)map)->entries, key);
    if (entry == NULL) {
        return MAP_MISSING;
    }
    free_value(entry);
    return MAP_FOUND;
}

const struct map_type map_type_internal = {.name = "internal",
                                           .properties = MAP_TYPE_FOLDS,
                                           .open = open_map,
                                           .close = close_map,
                                           .find = find,
                                           .walk = walk,
                                           .put = put,
                                           .remove = remove_key};
