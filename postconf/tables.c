/* SPDX-License-Identifier: MIT */
/*
 * Names of database client settings, by table type, so that they are not taken for
 * mistakes when they stand in main.cf.
 */
#include "postconf/tables.h"

#include <stddef.h>

#include "base/check.h"
#include "base/str.h"
#include "conf/conf.h"
#include "conf/reference.h"

static const char *const ldap_settings[] = {"bind",
                                            "bind_dn",
                                            "bind_pw",
                                            "cache",
                                            "cache_expiry",
                                            "cache_size",
                                            "chase_referrals",
                                            "debuglevel",
                                            "dereference",
                                            "domain",
                                            "expansion_limit",
                                            "leaf_result_attribute",
                                            "query_filter",
                                            "recursion_limit",
                                            "result_attribute",
                                            "result_filter",
                                            "result_format",
                                            "sasl_authz_id",
                                            "sasl_mechs",
                                            "sasl_minssf",
                                            "sasl_realm",
                                            "scope",
                                            "search_base",
                                            "server_host",
                                            "server_port",
                                            "size_limit",
                                            "special_result_attribute",
                                            "start_tls",
                                            "terminal_result_attribute",
                                            "timeout",
                                            "tls_ca_cert_dir",
                                            "tls_ca_cert_file",
                                            "tls_cert",
                                            "tls_cipher_suite",
                                            "tls_key",
                                            "tls_random_file",
                                            "tls_require_cert",
                                            "version",
                                            NULL};
static const char *const mysql_settings[] = {"additional_conditions",
                                             "charset",
                                             "dbname",
                                             "domain",
                                             "expansion_limit",
                                             "hosts",
                                             "idle_interval",
                                             "option_file",
                                             "option_group",
                                             "password",
                                             "query",
                                             "require_result_set",
                                             "result_format",
                                             "retry_interval",
                                             "select_field",
                                             "select_function",
                                             "table",
                                             "timeout",
                                             "tls_CAfile",
                                             "tls_CApath",
                                             "tls_cert_file",
                                             "tls_ciphers",
                                             "tls_key_file",
                                             "tls_verify_cert",
                                             "user",
                                             "where_field",
                                             NULL};
static const char *const pgsql_settings[] = {"additional_conditions",
                                             "dbname",
                                             "domain",
                                             "encoding",
                                             "expansion_limit",
                                             "hosts",
                                             "idle_interval",
                                             "password",
                                             "query",
                                             "result_format",
                                             "retry_interval",
                                             "select_field",
                                             "select_function",
                                             "table",
                                             "timeout",
                                             "user",
                                             "where_field",
                                             NULL};
static const char *const sqlite_settings[] = {
    "additional_conditions", "dbpath", "domain",
    "expansion_limit",       "query",  "result_format",
    "select_field",          "table",  "timeout",
    "where_field",           NULL};
static const char *const memcache_settings[] = {
    "backup",     "data_size_limit", "domain",          "flags",
    "key_digest", "key_format",      "line_size_limit", "max_try",
    "memcache",   "retry_pause",     "timeout",         "ttl",
    NULL};

static const char *const mongodb_settings[] = {"collection",
                                               "dbname",
                                               "domain",
                                               "expansion_limit",
                                               "projection",
                                               "query_filter",
                                               "result_attribute",
                                               "result_format",
                                               "uri",
                                               NULL};

static const struct {
    const char *type;
    const char *const *settings;
} types[] = {{"ldap", ldap_settings},         {"mysql", mysql_settings},
             {"pgsql", pgsql_settings},       {"sqlite", sqlite_settings},
             {"memcache", memcache_settings}, {"mongodb", mongodb_settings}};

static void each_setting(struct view table, const char *const *settings,
                         void (*on_name)(void *context, struct view name),
                         void *context)
{
    STR_AUTO struct str name = {0};
    for (; *settings != NULL; settings++) {
        str_clear(&name);
        str_printf(&name, "%.*s_%s", VIEW_ARG(table), *settings);
        on_name(context, str_view(&name));
    }
}

static const char *const *settings_of(struct view type)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (view_equal_cstr(type, types[i].type)) {
            return types[i].settings;
        }
    }
    return NULL;
}

bool tables_has_settings(struct view type)
{
    return settings_of(type) != NULL;
}

bool tables_has_setting(struct view type, struct view name)
{
    const char *const *settings = settings_of(type);
    while (settings != NULL && *settings != NULL) {
        if (view_equal_cstr(name, *settings)) {
            return true;
        }
        settings++;
    }
    return false;
}

void tables_each_setting(struct view value,
                         void (*on_name)(void *context, struct view name),
                         void *context)
{
    struct view item;
    while (conf_list_next(&value, &item)) {
        if (view_starts(item, VIEW("proxy:"))) {
            item = view_from(item, sizeof("proxy:") - 1);
        }
        size_t colon = view_index(item, ':');
        struct view table = view_from(item, colon + 1);
        if (table.len == 0 || table.ptr[0] == '/' || table.ptr[0] == '.') {
            continue;
        }
        const char *const *settings = settings_of(view_first(item, colon));
        if (settings != NULL) {
            each_setting(table, settings, on_name, context);
        }
    }
}

/* Where a group starts in ITEM: at its start or behind "type:"; its length when there
 * is none. */
static size_t find_group(struct view item)
{
    size_t at = 0;
    while (at < item.len && item.ptr[at] != '{') {
        at += view_index(view_from(item, at), ':') + 1;
    }
    return at < item.len ? at : item.len;
}

const char *tables_check_braces(struct view value, struct view *place_out)
{
    struct view item;
    struct view rest = value;
    while (conf_list_next(&rest, &item)) {
        size_t start = find_group(item);
        if (start == item.len) {
            continue;
        }
        *place_out = view_from(item, start);
        size_t len = reference_bracketed(*place_out, '{', '}');
        if (len == 0) {
            *place_out = view_of(place_out->ptr,
                                 (size_t)(value.ptr + value.len - place_out->ptr));
            return "missing '}'";
        }
        if (len < place_out->len) {
            return "syntax error after '}'";
        }
    }
    return NULL;
}
