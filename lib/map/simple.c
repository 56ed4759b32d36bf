/* SPDX-License-Identifier: MIT */
/* Types without a table behind them: static:, fail:, environ:. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/file_value.h"
#include "map/map_private.h"

/* --- static: one answer to every question ------------------------------------ */

struct static_map {
    struct map map;
    struct str value;
};

static enum map_result static_find(struct map *map, struct view key,
                                   struct str *value_out, struct err *err)
{
    (void)key;
    (void)err;
    str_add(value_out, str_view(&((struct static_map *)map)->value));
    return MAP_FOUND;
}

static void static_close(struct map *map)
{
    str_done(&((struct static_map *)map)->value);
    free(map);
}

static struct map *static_open(const struct map_spec *spec, struct err *err)
{
    struct view value = view_cstr(spec->name);
    struct err why = {0};
    if (value.ptr[0] == '{' && !map_unbrace(value, &value, &why)) {
        (void)err_perm(err, "4.3.0", "bad static:name syntax: %s", why.text);
        return NULL;
    }
    struct static_map *map = xcalloc(1, sizeof(*map));
    if ((spec->flags & MAP_FILE_VALUES) == 0) {
        str_set(&map->value, value);
    } else if (file_value_load(value, &map->value, err) != OK) {
        static_close(&map->map);
        return NULL;
    }
    return &map->map;
}

const struct map_type map_type_static = {.name = "static",
                                         .properties = MAP_TYPE_LOADS,
                                         .open = static_open,
                                         .close = static_close,
                                         .find = static_find};

/* --- fail: a table that is out of order, for tests --------------------------- */

static enum map_result fail_find(struct map *map, struct view key,
                                 struct str *value_out, struct err *err)
{
    (void)map;
    (void)key;
    (void)value_out;
    (void)err_temp(err, "4.3.0", "Application error");
    return MAP_ERROR;
}

static void plain_close(struct map *map)
{
    free(map);
}

static struct map *plain_open(const struct map_spec *spec, struct err *err)
{
    (void)spec;
    (void)err;
    return xcalloc(1, sizeof(struct map));
}

const struct map_type map_type_fail = {
    .name = "fail", .open = plain_open, .close = plain_close, .find = fail_find};

/* --- environ: variables of the process --------------------------------------- */

static enum map_result environ_find(struct map *map, struct view key,
                                    struct str *value_out, struct err *err)
{
    char *name = xviewdup(key);
    const char *value = getenv(name);
    free(name);
    if (value == NULL) {
        return MAP_MISSING;
    }
    if ((map->flags & MAP_FILE_VALUES) != 0) {
        return file_value_load(view_cstr(value), value_out, err) == OK ? MAP_FOUND
                                                                       : MAP_ERROR;
    }
    str_add_cstr(value_out, value);
    return MAP_FOUND;
}

const struct map_type map_type_environ = {.name = "environ",
                                          .properties = MAP_TYPE_FOLDS | MAP_TYPE_LOADS,
                                          .open = plain_open,
                                          .close = plain_close,
                                          .find = environ_find};
