/* SPDX-License-Identifier: MIT */
/* The one list of table types. */
#include "base/check.h"
#include "map/map_private.h"

/* Sorted by name. */
static const struct map_type *const types[] = {
    &map_type_btree,    &map_type_cidr,     &map_type_environ, &map_type_fail,
    &map_type_hash,     &map_type_inline,   &map_type_pcre,    &map_type_pipemap,
    &map_type_proxy,    &map_type_randmap,  &map_type_regexp,  &map_type_static,
    &map_type_texthash, &map_type_unionmap, &map_type_unix,
};

const struct map_type *map_type_find(struct view name)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (view_equal_cstr(name, types[i]->name)) {
            return types[i];
        }
    }
    return NULL;
}

const char *const *map_types(void)
{
    static const char *const names[] = {
        "btree",    "cidr",     "environ", "fail",    "hash",   "inline",
        "pcre",     "pipemap",  "proxy",   "randmap", "regexp", "static",
        "texthash", "unionmap", "unix",    NULL,
    };
    _Static_assert(ARRAY_SIZE(names) == ARRAY_SIZE(types) + 1, "a name for each type");
    return names;
}
