/* SPDX-License-Identifier: MIT */
/*
 * The lookup tables that main.cf names: opening them tells what is not built, older
 * than its source, or has rules that cannot be used.  Mail would be deferred at the
 * first lookup, and an administrator would look for the reason in the log.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "conf/param_table.h"
#include "conf/settings.h"
#include "map/map.h"
#include "master/postfix_command.h"

/* Types whose tables can be opened without asking a server. */
static bool is_local(struct view type)
{
    static const char *const types[] = {
        "btree",   "cdb",     "cidr",   "hash",   "inline",   "lmdb",    "pcre",
        "pipemap", "randmap", "regexp", "static", "texthash", "unionmap"};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (view_equal_cstr(type, types[i])) {
            return true;
        }
    }
    return false;
}

/* ITEM of a list may be a table or anything else. */
static void check_item(const struct conf *conf, struct view item, unsigned flags)
{
    const struct view proxy = VIEW("proxy:");
    if (view_starts(item, proxy)) {
        item = view_from(item, proxy.len);
    }
    size_t colon = view_index(item, ':');
    if (colon + 1 < item.len && is_local(view_first(item, colon))) {
        struct map *map = map_open(conf, item, flags); /* says itself what is wrong */
        map_close(&map);
    }
}

/* A name of the administrator's own may stand for the beginning of a table's name only,
 * unless it is a class of restrictions. */
static bool is_list_of_tables(const struct conf *conf, struct view name)
{
    enum param param;
    if (param_find(name, &param)) {
        return true;
    }
    struct view rest = view_cstr(conf_str(conf, P_smtpd_restriction_classes)), class;
    while (conf_list_next(&rest, &class)) {
        if (view_equal(class, name)) {
            return true;
        }
    }
    return false;
}

/* What programs make for themselves need not be there yet. */
static bool is_own_memory(struct view name)
{
    return view_ends_nocase(name, VIEW("_session_cache_database")) ||
           view_equal_cstr(name, "postscreen_cache_map") ||
           view_equal_cstr(name, "address_verify_map");
}

void check_tables(const struct control *control)
{
    const struct conf *conf = control->conf;
    size_t cursor = 0;
    const struct conf_setting *setting;
    while ((setting = conf_next_setting(conf, &cursor)) != NULL) {
        const char *value = conf_lookup(conf, setting->name);
        if (value == NULL || is_own_memory(view_cstr(setting->name)) ||
            !is_list_of_tables(conf, view_cstr(setting->name))) {
            continue;
        }
        bool aliases = strcmp(setting->name, "alias_maps") == 0;
        struct view rest = view_cstr(value), item;
        while (conf_list_next(&rest, &item)) {
            check_item(conf, item, MAP_FOLD | (aliases ? MAP_NO_REGSUB : 0));
        }
    }
}
