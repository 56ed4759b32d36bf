/* SPDX-License-Identifier: MIT */
/* debug:type:name: the table type:name, with a line in the log for each question. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "map/map_private.h"

struct debug_map {
    struct map map;
    struct map *inner;
};

static void close_map(struct map *map)
{
    struct debug_map *self = (struct debug_map *)map;
    map_close(&self->inner);
    free(self);
}

static struct map *open_map(const struct map_spec *spec, struct err *err)
{
    if (strchr(spec->name, ':') == NULL) {
        (void)err_perm(err, "4.3.0", "bad syntax: \"%s\"; need \"debug:type:name\"",
                       spec->title);
        return NULL;
    }
    struct debug_map *self = xcalloc(1, sizeof(*self));
    self->inner = map_open(spec->conf, view_cstr(spec->name), spec->flags | MAP_QUIET);
    if (map_open_error(self->inner) != NULL) {
        (void)err_perm(err, "4.3.0", "%s", map_open_error(self->inner));
        close_map(&self->map);
        return NULL;
    }
    self->map.properties = self->inner->properties & MAP_TYPE_PATTERN;
    self->map.owner = map_owner(self->inner);
    return &self->map;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct debug_map *self = (struct debug_map *)map;
    struct err own;
    err = err != NULL ? err : &own;
    enum map_result result = map_find(self->inner, key, value_out, err);
    switch (result) {
    case MAP_FOUND:
        log_info("%s lookup: \"%.*s\" = \"%.*s\"", map->title, VIEW_ARG(key),
                 VIEW_ARG(str_view(value_out)));
        break;
    case MAP_MISSING:
        log_info("%s lookup: \"%.*s\" = not found", map->title, VIEW_ARG(key));
        break;
    case MAP_ERROR:
        log_info("%s lookup: \"%.*s\" = error: %s", map->title, VIEW_ARG(key),
                 err->text);
        break;
    }
    const struct map_origin origin = map_last_origin(self->inner);
    map->origin_file = origin.file;
    map->origin_line = origin.line;
    return result;
}

static bool changed(struct map *map)
{
    return map_changed(((struct debug_map *)map)->inner);
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    log_info("%s: all entries", map->title);
    return map_walk(((struct debug_map *)map)->inner, visit, context, err);
}

/* The inner table folds keys and loads files. */
const struct map_type map_type_debug = {.name = "debug",
                                        .properties = MAP_TYPE_LOADS,
                                        .open = open_map,
                                        .close = close_map,
                                        .find = find,
                                        .changed = changed,
                                        .walk = walk};
