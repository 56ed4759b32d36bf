/* SPDX-License-Identifier: MIT */
/* postmap -q and -s: asking tables of any type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "map/map.h"
#include "postmap/message.h"
#include "postmap/postmap.h"

struct query {
    const struct options *options;
    const struct conf *conf;
    struct map **tables; /* NULL: not asked yet, and therefore not opened */
    size_t count;
    struct str value;
    bool found;
};

static void flush_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        log_fatal("write standard output: %m");
    }
}

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
}

NORETURN static void die(struct query *query, const char *reason)
{
    char *copy = xstrdup(reason); /* it may be a table's own */
    flush_output();
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

static void put_bytes(struct view bytes)
{
    (void)fwrite(bytes.ptr, 1, bytes.len, stdout); /* flush_output() looks for errors */
}

static void print_entry(struct view key, const char *between, struct view value)
{
    put_bytes(key);
    (void)fputs(between, stdout);
    put_bytes(value);
    (void)putc('\n', stdout);
}

/* --- keys -------------------------------------------------------------------- */

bool key_reader_next(struct key_reader *reader, struct view *key_out)
{
    ssize_t len = getline(&reader->line, &reader->capacity, stdin);
    if (len < 0) {
        if (ferror(stdin) != 0) {
            log_fatal("read standard input: %m");
        }
        return false;
    }
    bool has_lf = len > 0 && reader->line[len - 1] == '\n';
    *key_out = view_of(reader->line, (size_t)len - has_lf);
    return true;
}

void key_reader_done(struct key_reader *reader)
{
    free(reader->line);
}

static void query_key(void *context, struct view key)
{
    struct query *query = context;
    if (look_up(query, key)) {
        print_entry(key, "\t", str_view(&query->value));
    }
}

static void query_keys(struct query *query)
{
    struct key_reader reader = {0};
    struct view key;
    while (key_reader_next(&reader, &key)) {
        if (key.len > 0) {
            query_key(query, key);
        }
    }
    key_reader_done(&reader);
}

static void query_one(struct query *query, const char *key)
{
    if (key[0] != '\0' && look_up(query, view_cstr(key))) {
        print_entry(view_of("", 0), "", str_view(&query->value));
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
    flush_output();
    close_tables(&query);
    return query.found ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- all entries ------------------------------------------------------------- */

struct dump {
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
        log_warning("table %s: key %.*s: empty string result is not allowed",
                    map_name(dump->map), VIEW_ARG(key));
    }
    print_entry(key, dump->between, value);
    return ferror(stdout) == 0;
}

int dump_run(const struct options *options, const struct conf *conf)
{
    CHECK(options->tables[0] != NULL);
    struct query query = {.options = options, .conf = conf, .count = 1};
    query.tables = xcalloc(1, sizeof(query.tables[0]));
    struct err err = {0};
    struct map *map = table_at(&query, 0);
    struct dump dump = {map, options->aliases ? ":\t" : "\t"};
    if (map_walk(map, dump_entry, &dump, &err) != OK) {
        die(&query, err.text);
    }
    flush_output();
    close_tables(&query);
    return EXIT_SUCCESS;
}
