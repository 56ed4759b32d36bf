/* SPDX-License-Identifier: MIT */
/* What tables of all database servers do when there is none.  Comes behind
 * testing/test.h. */
#ifndef MODULES_SERVER_TESTING_H
#define MODULES_SERVER_TESTING_H

#include "modules/sql_testing.h"

#include <unistd.h>

struct settings_case {
    const char *settings;
    const char *error; /* of opening, with "D/t.cf" for the file */
};

static inline void server_test_settings(const char *type,
                                        const struct settings_case *cases, size_t count)
{
    struct bench *bench = sql_bench(type, "");
    for (size_t i = 0; i < count; i++) {
        char *error = sql_open_error(bench, type, cases[i].settings);
        assert_string_equal(error, cases[i].error);
        free(error);
    }
    bench_free(bench);
}

/* SETTINGS name a server that is not there.  Lookups fail, are reported with the name
 * of the table, and do not knock each time. */
static inline void server_test_dead(const char *type, const char *settings,
                                    const char *problem)
{
    struct bench *bench = sql_bench(type, "");
    struct map *map = sql_open(bench, type, settings);
    assert_null(map_open_error(map));
    assert_false(map_is_pattern(map));
    assert_string_equal(bench_ask(bench, map, "bad\xff"), "(missing)");
    free(bench_take(bench));
    assert_string_equal(bench_ask(bench, map, "key"), "(error)");
    char *log = bench_take(bench);
    char *start = xasprintf("warning: %s:D/t.cf: %s", type, problem);
    assert_int_equal(strncmp(log, start, strlen(start)), 0);
    free(log);
    assert_string_equal(bench_ask(bench, map, "key"), "(error)");
    assert_log(bench, "");
    (void)usleep(1100 * 1000);
    assert_string_equal(bench_ask(bench, map, "key"), "(error)");
    log = bench_take(bench);
    assert_int_equal(strncmp(log, start, strlen(start)), 0);
    free(log);
    free(start);
    map_close(&map);
    bench_free(bench);
}

#endif
