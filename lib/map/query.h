/* SPDX-License-Identifier: MIT */
/*
 * Questions and answers with "%s" and kin, as tables in SQL, LDAP and memcached have
 * them (mysql_table(5) explains the letters).  Every part of a key that is put into a
 * question goes through the table's own quoting, and nothing that was put in is looked
 * at again.
 */
#ifndef MAP_QUERY_H
#define MAP_QUERY_H

#include "map/map_private.h"
#include "map/table_settings.h"

/* A key in parts. */
struct map_key {
    struct view whole;
    struct view user;   /* before the last "@", or all of it */
    struct view domain; /* behind it; empty: there is none */
    bool qualified;     /* has a domain */
};
void map_key_split(struct view key, struct map_key *out);

/* A text with "%s", parsed. */
struct map_format;
/* NULL: something other than a known letter stands behind a "%". */
struct map_format *map_format_new(const char *text);
void map_format_free(struct map_format **format);
/* Does it come out the same for every key? */
bool map_format_is_fixed(const struct map_format *format);
/* Adds RAW to OUT in such a way that it stands for nothing but itself.  False: it
 * cannot be said at all (the lookup finds nothing, or fails as ERR says). */
typedef bool map_quote_function(void *context, struct view raw, struct str *out);
/* Append FORMAT to OUT, with the parts of KEY put in.  False: KEY has not all the parts
 * that FORMAT asks for, or QUOTE refused. */
bool map_format_fill(const struct map_format *format, const struct map_key *key,
                     map_quote_function *quote, void *context, struct str *out);

/* What tables with questions have in common: the parameters "domain", "result_format"
 * and "expansion_limit". */
struct map_query {
    const char *title;          /* for messages; belongs to the settings */
    struct match_list *domains; /* NULL: any */
    struct map_format *result;
    int limit; /* results of one lookup; below 1: any number */
};
/* Mistakes are left with SETTINGS, which must outlive QUERY.  RESULT_FALLBACK: the
 * default of result_format. */
void map_query_init(struct map_query *query, const struct conf *conf,
                    struct map_settings *settings, const char *result_fallback);
void map_query_done(struct map_query *query);
/* A format from SETTINGS: parameter NAME with the value TEXT, in messages "invalid NAME
 * template".  NULL after a mistake. */
struct map_format *map_query_format(struct map_settings *settings, const char *kind,
                                    const char *text);

/* May KEY be asked for at all?  MAP_FOUND: yes, *OUT is filled; MAP_MISSING: it is in
 * none of the domains, or has not the parts that results need; MAP_ERROR: the domains
 * cannot be looked at.  May wait. */
enum map_result map_query_admits(struct map_query *query, struct view key,
                                 struct map_key *out, struct err *err);

/* The results of one lookup, joined by commas. */
struct map_answer {
    const struct map_key *key;
    struct str *text;
    int count;
};
/* Add VALUE in the form that "result_format" asks for.  False: more than
 * "expansion_limit"; ERR says so, and so does the log. */
bool map_query_add(const struct map_query *query, struct map_answer *answer,
                   struct view value, struct err *err);

#endif
