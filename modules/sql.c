/* SPDX-License-Identifier: MIT */
/* Parameters and rules that are the same for every SQL database. */
#include "modules/sql.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/utf8.h"
#include "sys/clock.h"

/* --- the query --------------------------------------------------------------- */

/* What configurations older than the parameter "query" have. */
static char *legacy_query(struct map_settings *settings, unsigned dialect)
{
    if ((dialect & SQL_FUNCTIONS) != 0) {
        const char *function = map_settings_str(settings, "select_function", "");
        if (function[0] != '\0') {
            return xasprintf("SELECT %s('%%s')", function);
        }
    }
    const char *table = map_settings_need(settings, "table");
    const char *select = map_settings_need(settings, "select_field");
    const char *where = map_settings_need(settings, "where_field");
    return xasprintf("SELECT %s FROM %s WHERE %s = '%%s' %s", select, table, where,
                     map_settings_str(settings, "additional_conditions", ""));
}

/* Quoting makes a key harmless inside a string.  Anywhere else the client who chose the
 * key would write the rest of the query. */
static void warn_unquoted(const struct sql_map *sql, const char *text, unsigned dialect)
{
    char quote = '\0';
    for (const char *p = text; *p != '\0'; p++) {
        bool opens = *p == '\'' || (*p == '"' && (dialect & SQL_DOUBLE_QUOTES) != 0);
        if (quote != '\0') {
            quote = *p == quote ? '\0' : quote;
        } else if (opens) {
            quote = *p;
        } else if (*p == '%' && p[1] == '%') {
            p++;
        } else if (*p == '%') {
            log_warning("%s: %%%c in the query is not inside a string ('%%%c'): "
                        "whoever chooses an address may choose what is asked",
                        map_settings_title(sql->settings), p[1], p[1]);
            return;
        }
    }
}

static void read_query(struct sql_map *sql, unsigned dialect)
{
    const char *query = map_settings_str(sql->settings, "query", "");
    char *text =
        query[0] != '\0' ? xstrdup(query) : legacy_query(sql->settings, dialect);
    sql->text = map_query_format(sql->settings, "query", text);
    if (sql->text != NULL) {
        warn_unquoted(sql, text, dialect);
    }
    free(text);
}

void sql_init(struct sql_map *sql, const struct map_spec *spec, const char *type,
              unsigned dialect)
{
    sql->type = type;
    sql->map.owner = map_settings_owner(sql->settings);
    map_query_init(&sql->query, spec->conf, sql->settings, "%s");
    read_query(sql, dialect);
    sql->timeout = map_settings_int(sql->settings, "timeout", 10, 1, 86400) *
                   (int64_t)CLOCK_SECOND;
}

void sql_done(struct sql_map *sql)
{
    map_format_free(&sql->text);
    map_query_done(&sql->query);
    map_settings_close(&sql->settings);
}

/* --- lookups ----------------------------------------------------------------- */

enum map_result sql_admits(struct sql_map *sql, struct view key, struct map_key *parts,
                           struct err *err)
{
    /* No text in a database is like that, and some complain. */
    if (!utf8_valid(key) || view_index(key, '\0') < key.len) {
        log_warning("%s: non-UTF-8 key \"%.*s\"", sql->map.title, VIEW_ARG(key));
        return MAP_MISSING;
    }
    return map_query_admits(&sql->query, key, parts, err);
}

bool sql_add(const struct sql_map *sql, struct map_answer *answer, struct view value,
             struct err *err)
{
    if (value.len == 0) {
        log_warning("table \"%s\": empty lookup result for: \"%.*s\" -- ignored",
                    sql->map.title, VIEW_ARG(answer->key->whole));
        return true;
    }
    return map_query_add(&sql->query, answer, value, err);
}
