/* SPDX-License-Identifier: MIT */
/* What the SQL modules have in common. */
#ifndef MODULES_SQL_H
#define MODULES_SQL_H

#include "map/query.h"

/* A table that is asked in SQL; the first member of each module's own struct. */
struct sql_map {
    struct map map;
    struct map_settings *settings;
    struct map_query query;
    struct map_format *text; /* the query */
    const char *type;        /* "mysql" */
    int64_t timeout;         /* of one lookup; microseconds */
};

enum sql_dialect {
    SQL_FUNCTIONS = 1,    /* "select_function" is a parameter */
    SQL_DOUBLE_QUOTES = 2 /* "%s" is a string as '%s' is */
};
/* Read the parameters of all SQL tables: what map_query_init() reads, the query, or
 * what older configurations have instead, and "timeout".  Mistakes are left with the
 * settings. Warns of a query that puts a key anywhere but into a string. */
void sql_init(struct sql_map *sql, const struct map_spec *spec, const char *type,
              unsigned dialect);
void sql_done(struct sql_map *sql);

/* Begin a lookup: MAP_FOUND if KEY is to be asked for. */
enum map_result sql_admits(struct sql_map *sql, struct view key, struct map_key *parts,
                           struct err *err);
/* One value of the result; NULL or empty ones are left out.  False: too many. */
bool sql_add(const struct sql_map *sql, struct map_answer *answer, struct view value,
             struct err *err);

#endif
