/* SPDX-License-Identifier: MIT */
/* The one list of table types that are built in; modules add to it. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/map_private.h"
#include "map/module.h"

/* Sorted by name. */
static const struct map_type *const types[] = {
    &map_type_btree,    &map_type_cidr,     &map_type_debug,     &map_type_environ,
    &map_type_fail,     &map_type_hash,     &map_type_inline,    &map_type_internal,
    &map_type_memcache, &map_type_pcre,     &map_type_pipemap,   &map_type_proxy,
    &map_type_randmap,  &map_type_regexp,   &map_type_socketmap, &map_type_static,
    &map_type_tcp,      &map_type_texthash, &map_type_unionmap,  &map_type_unix,
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

bool map_type_blocks(struct view name)
{
    static const char *const modules[] = {"ldap", "mongodb", "mysql", "pgsql",
                                          "sqlite"};
    for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
        if (view_equal_cstr(name, modules[i])) {
            return true;
        }
    }
    const struct map_type *type = map_type_find(name);
    return type != NULL && (type->properties & MAP_TYPE_BLOCKS) != 0;
}

/* Names of all types, those of modules among them. */
struct names {
    const char **names;
    size_t count, capacity;
};

static void add_name(void *context, const char *name)
{
    struct names *list = context;
    if (list->count == list->capacity) {
        list->capacity = list->capacity > 0 ? 2 * list->capacity : 32;
        list->names =
            xreallocarray(list->names, list->capacity, sizeof(list->names[0]));
    }
    list->names[list->count++] = name;
}

static void add_module_name(void *context, const char *name)
{
    if (map_type_find(view_cstr(name)) == NULL) {
        add_name(context, name);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void map_types_each(const struct conf *conf,
                    void (*visit)(void *context, const char *type), void *context)
{
    struct names list = {0};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        add_name(&list, types[i]->name);
    }
    map_module_each(conf, add_module_name, &list);
    qsort(list.names, list.count, sizeof(list.names[0]), compare_names);
    for (size_t i = 0; i < list.count; i++) {
        visit(context, list.names[i]);
    }
    free(list.names);
}

bool map_type_is_known(const struct conf *conf, struct view type)
{
    return map_type_find(type) != NULL || map_module_is_listed(conf, type);
}

bool map_type_is_writable(struct view type)
{
    const struct map_type *row = map_type_find(type);
    return row != NULL && row->put != NULL;
}
