/* SPDX-License-Identifier: MIT */
/* For the tests of modules that ask databases: a configuration that lists one, and a
 * table with settings.  Comes behind testing/test.h. */
#ifndef MODULES_SQL_TESTING_H
#define MODULES_SQL_TESTING_H

#include "map/map_testing.h"

/* dynamicmaps.cf lists MODULE_FILE for TYPE.  MAIN_CF: more settings. */
static inline struct bench *sql_bench(const char *type, const char *main_cf)
{
    char *text = xasprintf("meta_directory = $config_directory\n%s", main_cf);
    struct bench *bench = bench_new(text);
    free(text);
    char *list = xasprintf("%s %s dict_%s_open\n", type, MODULE_FILE, type);
    test_write_file(bench->directory, "dynamicmaps.cf", list);
    free(list);
    return bench;
}

/* TYPE:DIRECTORY/t.cf with these settings. */
static inline struct map *sql_open(struct bench *bench, const char *type,
                                   const char *settings)
{
    test_write_file(bench->directory, "t.cf", settings);
    return bench_open_file(bench, type, "t.cf", MAP_FOLD);
}

/* Why such a table cannot be used, with the path of t.cf as "D/t.cf".  The caller frees
 * the text. */
static inline char *sql_open_error(struct bench *bench, const char *type,
                                   const char *settings)
{
    struct map *map = sql_open(bench, type, settings);
    assert_non_null(map_open_error(map));
    free(bench_take(bench));
    str_add_cstr(&bench->log, map_open_error(map));
    map_close(&map);
    return bench_take(bench);
}

#endif
