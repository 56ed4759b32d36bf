/* SPDX-License-Identifier: MIT */
/* postmap -q and -s: asking tables of any type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "map/map.h"
#include "postmap/message.h"
#include "postmap/postmap.h"
#include "postmap/stream.h"

struct query {
    const struct options *options;
    const struct conf *conf;
    struct map **tables; /* NULL: not asked yet, and therefore not opened */
    size_t count;
    struct str value;
    struct output output;
    bool found;
};

static void warn_empty(const struct map *map, struct view key)
{
    log_warning("table %s: key %.*s: empty string result is not allowed", map_name(map),
                VIEW_ARG(key));
    log_warning("table %s should return NO RESULT in case of NOT FOUND", map_name(map));
}

static void close_tables(struct query *query)
{
    for (size_t i = 0; i < query->count; i++) {
        map_close(&query->tables[i]);
    }
    free(query->tables);
    str_done(&query->value);
    output_done(&query->output);
}

NORETURN static void die(struct query *query, const char *reason)
{
    char *copy = xstrdup(reason); /* it may be a table's own */
    output_flush(&query->output);
    close_tables(query);
    log_fatal("%s", copy);
}

static struct map *table_at(struct query *query, size_t i)
{
    if (query->tables[i] == NULL) {
        struct view name = view_cstr(query->options->tables[i]);
        query->tables[i] =
            map_open(query->conf, name, options_map_flags(query->options));
        if (map_open_error(query->tables[i]) != NULL) {
            die(query, map_open_error(query->tables[i]));
        }
    }
    return query->tables[i];
}

static bool look_up(struct query *query, struct view key)
{
    struct err err = {0};
    for (size_t i = 0; i < query->count; i++) {
        struct map *map = table_at(query, i);
        enum map_result result = map_find(map, key, &query->value, &err);
        if (result == MAP_ERROR) {
            STR_AUTO struct str reason = {0};
            str_printf(&reason, "table %s: query error: %s", map_name(map), err.text);
            die(query, str_ptr(&reason));
        }
        if (result == MAP_FOUND) {
            if (query->value.len == 0) {
                warn_empty(map, key);
            }
            query->found = true;
            return true;
        }
    }
    return false;
}

/* As JSON: an object with one member per line. */
static void print_json(struct query *query, struct view key, struct view value)
{
    STR_AUTO struct str line = {0};
    str_add_byte(&line, '{');
    json_add_string(&line, key);
    str_add_cstr(&line, ": ");
    json_add_string(&line, value);
    str_add_cstr(&line, "}\n");
    output_add(&query->output, str_view(&line));
}

static void print_entry(struct query *query, struct view key, const char *between,
                        struct view value)
{
    if (query->options->json) {
        print_json(query, key, value);
        return;
    }
    output_add(&query->output, key);
    output_add(&query->output, view_cstr(between));
    output_add(&query->output, value);
    output_add(&query->output, VIEW("\n"));
}

/* --- keys -------------------------------------------------------------------- */

static void query_key(void *context, struct view key)
{
    struct query *query = context;
    if (look_up(query, key)) {
        print_entry(query, key, "\t", str_view(&query->value));
    }
}

static void query_keys(struct query *query)
{
    struct key_reader reader = {.output = &query->output};
    struct view key;
    while (key_reader_next(&reader, &key)) {
        query_key(query, key);
    }
    key_reader_done(&reader);
}

static void query_one(struct query *query, const char *key)
{
    if (!look_up(query, view_cstr(key))) {
        return;
    }
    if (query->options->json) {
        print_json(query, view_cstr(key), str_view(&query->value));
    } else {
        print_entry(query, view_of("", 0), "", str_view(&query->value));
    }
}

int query_run(const struct options *options, const struct conf *conf)
{
    struct query query = {.options = options, .conf = conf};
    while (options->tables[query.count] != NULL) {
        query.count++;
    }
    query.tables = xcalloc(query.count, sizeof(query.tables[0]));
    if (options->headers || options->body) {
        const struct message_reader reader = {options->headers, options->body,
                                              options->mime, query_key, &query};
        message_read(&reader, stdin);
    } else if (strcmp(options->key, "-") == 0) {
        query_keys(&query);
    } else {
        query_one(&query, options->key);
    }
    output_flush(&query.output);
    close_tables(&query);
    return query.found ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- all entries ------------------------------------------------------------- */

struct dump {
    struct query *query;
    const struct map *map;
    const char *between;
};

static bool dump_entry(void *context, struct view key, struct view value)
{
    const struct dump *dump = context;
    if (key.len == 0) {
        log_warning("table %s: empty lookup key value is not allowed",
                    map_name(dump->map));
    } else if (value.len == 0) {
        warn_empty(dump->map, key);
    }
    print_entry(dump->query, key, dump->between, value);
    return true;
}

int dump_run(const struct options *options, const struct conf *conf)
{
    CHECK(options->tables[0] != NULL);
    struct query query = {.options = options, .conf = conf, .count = 1};
    query.tables = xcalloc(1, sizeof(query.tables[0]));
    struct err err = {0};
    struct map *map = table_at(&query, 0);
    struct dump dump = {&query, map, options->aliases ? ":\t" : "\t"};
    if (map_walk(map, dump_entry, &dump, &err) != OK) {
        die(&query, err.text);
    }
    output_flush(&query.output);
    close_tables(&query);
    return EXIT_SUCCESS;
}
