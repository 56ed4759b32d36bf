/* SPDX-License-Identifier: MIT */
/* Types without a table behind them: static:, fail:, environ:. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/map_private.h"

/* --- static: one answer to every question ------------------------------------ */

struct static_map {
    struct map map;
    char *value;
};

static enum map_result static_find(struct map *map, struct view key,
                                   struct str *value_out, struct err *err)
{
    (void)key;
    (void)err;
    str_add_cstr(value_out, ((struct static_map *)map)->value);
    return MAP_FOUND;
}

static void static_close(struct map *map)
{
    free(((struct static_map *)map)->value);
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
    map->value = xviewdup(value);
    return &map->map;
}

const struct map_type map_type_static = {
    .name = "static", .open = static_open, .close = static_close, .find = static_find};

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
    (void)map;
    (void)err;
    char *name = xviewdup(key);
    const char *value = getenv(name);
    free(name);
    if (value == NULL) {
        return MAP_MISSING;
    }
    str_add_cstr(value_out, value);
    return MAP_FOUND;
}

const struct map_type map_type_environ = {.name = "environ",
                                          .properties = MAP_TYPE_FOLDS,
                                          .open = plain_open,
                                          .close = plain_close,
                                          .find = environ_find};
