/* SPDX-License-Identifier: MIT */
/* A list of tables, searched in order; the first that knows the key answers. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/htab.h"
#include "base/log.h"
#include "map/map_private.h"
#include "map/maps_private.h"
#include "sys/clock.h"

struct maps {
    const struct conf *conf;
    char *title;
    struct map **tables;
    size_t count;
    struct htab *noted; /* keys found since NOTED_SINCE, or NULL */
    int64_t noted_since;
};

/* How long something that was found counts as being there still, and how much of it is
 * kept. */
enum { NOTED_TIME = 1 * CLOCK_SECOND, NOTED_MOST = 10000 };

struct maps *maps_open(const struct conf *conf, const char *title, const char *list,
                       unsigned flags)
{
    CHECK(title != NULL && list != NULL);
    struct maps *maps = xcalloc(1, sizeof(*maps));
    maps->conf = conf;
    maps->title = xstrdup(title);
    struct view rest = view_cstr(list), item;
    while (conf_list_next(&rest, &item)) {
        maps->tables =
            xreallocarray(maps->tables, maps->count + 1, sizeof(maps->tables[0]));
        maps->tables[maps->count++] = map_open(conf, item, flags);
    }
    return maps;
}

void maps_close(struct maps **maps)
{
    if (*maps == NULL) {
        return;
    }
    for (size_t i = 0; i < (*maps)->count; i++) {
        map_close(&(*maps)->tables[i]);
    }
    htab_free(&(*maps)->noted, NULL);
    free((*maps)->tables);
    free((*maps)->title);
    free(*maps);
    *maps = NULL;
}

bool maps_empty(const struct maps *maps)
{
    return maps->count == 0;
}

bool maps_changed(const struct maps *maps)
{
    for (size_t i = 0; i < maps->count; i++) {
        if (map_changed(maps->tables[i])) {
            return true;
        }
    }
    return false;
}

/* An empty answer cannot be told from none by whoever reads the table's source. */
static enum map_result check_value(const struct maps *maps, const struct map *map,
                                   struct view key, const struct str *value,
                                   struct err *err)
{
    if (value->len > 0) {
        return MAP_FOUND;
    }
    log_warning("%s lookup of %.*s returns an empty string result", maps->title,
                VIEW_ARG(key));
    log_warning("%s should return NO RESULT in case of NOT FOUND", maps->title);
    (void)err_temp(err, "4.3.5", "%s: empty result for %.*s", map_name(map),
                   VIEW_ARG(key));
    return MAP_ERROR;
}

enum map_result maps_find_some(struct maps *maps, struct view key, bool partial,
                               struct str *value_out, const struct map **matched_out,
                               struct err *err)
{
    struct err own = {0};
    err = err != NULL ? err : &own;
    str_clear(value_out);
    if (matched_out != NULL) {
        *matched_out = NULL;
    }
    if (key.len == 0) {
        return MAP_MISSING;
    }
    for (size_t i = 0; i < maps->count; i++) {
        struct map *map = maps->tables[i];
        if (partial && map_is_pattern(map)) {
            continue;
        }
        enum map_result result = map_find(map, key, value_out, err);
        if (result == MAP_MISSING) {
            continue;
        }
        if (matched_out != NULL) {
            *matched_out = map;
        }
        if (result == MAP_FOUND) {
            return check_value(maps, map, key, value_out, err);
        }
        log_warning("%s lookup error for \"%.*s\"", map_name(map), VIEW_ARG(key));
        return MAP_ERROR;
    }
    return MAP_MISSING;
}

enum map_result maps_find(struct maps *maps, struct view key, struct str *value_out,
                          const struct map **matched_out, struct err *err)
{
    return maps_find_some(maps, key, false, value_out, matched_out, err);
}

const struct conf *maps_conf(const struct maps *maps)
{
    return maps->conf;
}

static void forget_old(struct maps *maps)
{
    if (maps->noted != NULL && (clock_now() - maps->noted_since > NOTED_TIME ||
                                htab_count(maps->noted) >= NOTED_MOST)) {
        htab_free(&maps->noted, NULL);
    }
}

bool maps_remember(struct maps *maps, struct view key)
{
    forget_old(maps);
    return maps->noted != NULL && key.len > 0 && htab_get(maps->noted, key) != NULL;
}

void maps_note(struct maps *maps, struct view key)
{
    forget_old(maps);
    if (maps->noted == NULL) {
        maps->noted = htab_new();
        maps->noted_since = clock_now();
    }
    (void)htab_put(maps->noted, key, maps);
}
