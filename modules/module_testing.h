/* SPDX-License-Identifier: MIT */
/* For the tests of table modules: a configuration that lists one, and what every type
 * that postmap can build must do.  Comes behind testing/test.h. */
#ifndef MODULES_MODULE_TESTING_H
#define MODULES_MODULE_TESTING_H

#include "map/writer_testing.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* dynamicmaps.cf lists MODULE_FILE for TYPE.  MAIN_CF: more settings. */
static inline struct bench *bench_with_module(const char *type, const char *main_cf)
{
    char *text = xasprintf("meta_directory = $config_directory\n%s", main_cf);
    struct bench *bench = bench_new(text);
    free(text);
    char *list =
        xasprintf("%s %s dict_%s_open mkmap_%s_open\n", type, MODULE_FILE, type, type);
    test_write_file(bench->directory, "dynamicmaps.cf", list);
    free(list);
    return bench;
}

static inline bool indexed_add_entry(void *context, struct view key, struct view value)
{
    str_printf(context, "%.*s=%.*s ", VIEW_ARG(key), VIEW_ARG(value));
    return true;
}

/* All entries as "key=value key=value ", in the order of the file. */
static inline void indexed_assert_entries(struct bench *bench, struct map *map,
                                          const char *expected)
{
    STR_AUTO struct str text = {0};
    assert_int_equal(map_walk(map, indexed_add_entry, &text, &bench->err), OK);
    assert_string_equal(str_ptr(&text), expected);
}

static inline void indexed_test_build(const char *type, enum map_writer_nul nul)
{
    const struct map_writer_options options = {.nul = nul, .mode = 0640};
    struct bench *bench = bench_with_module(type, "");
    struct map_writer *writer = bench_writer(bench, type, &options);
    assert_non_null(writer);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "alice", "Alice Jones"));
    assert_true(bench_put(bench, writer, MAP_PUT_NEW, "alice", "again"));
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "bob", "b"));
    assert_false(bench_put(bench, writer, MAP_PUT_REPLACE, "bob", "Bob"));
    assert_false(bench_put(bench, writer, MAP_PUT_BARE, "bare", ""));
    char *path = xasprintf("%s/t.%s", bench->directory, type);
    assert_string_equal(map_writer_path(writer), path);
    assert_int_equal(access(path, F_OK), -1); /* nobody sees half a table */
    bench_commit(bench, writer);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    free(path);

    struct map *map = bench_open_file(bench, type, "t", MAP_FOLD);
    assert_null(map_open_error(map));
    assert_string_equal(bench_ask(bench, map, "ALICE"), "Alice Jones");
    assert_string_equal(bench_ask(bench, map, "bob"), "Bob");
    assert_string_equal(bench_ask(bench, map, "bare"), "");
    assert_string_equal(bench_ask(bench, map, "ali"), "(missing)");
    assert_string_equal(bench_ask(bench, map, ""), "(missing)");
    assert_int_equal(map_owner(map), geteuid());
    assert_false(map_changed(map));
    map_close(&map);
    bench_free(bench);
}

static inline void indexed_test_change(const char *type, const char *expected)
{
    const struct map_writer_options options = {.incremental = true, .mode = 0640};
    struct bench *bench = bench_with_module(type, "");
    struct map_writer *writer = bench_writer(bench, type, &options);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "1"));
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "b", "2"));
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "c", "3"));
    bench_commit(bench, writer);
    struct map *map = bench_open_file(bench, type, "t", 0);

    writer = bench_writer(bench, type, &options);
    assert_true(bench_put(bench, writer, MAP_PUT_NEW, "a", "again"));
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "d", "4"));
    assert_false(bench_put(bench, writer, MAP_PUT_REPLACE, "c", "changed"));
    assert_true(bench_delete(bench, writer, "b"));
    assert_false(bench_delete(bench, writer, "zz"));
    bench_commit(bench, writer);
    /* The reader goes over to the new file by itself. */
    assert_string_equal(bench_ask(bench, map, "b"), "(missing)");
    assert_string_equal(bench_ask(bench, map, "c"), "changed");
    assert_false(map_changed(map));
    indexed_assert_entries(bench, map, expected);
    char *log =
        xasprintf("table %s:D/t(0,lock|utf8_request) has changed -- reopened\n", type);
    assert_log(bench, log);
    free(log);

    /* A third writer starts from what the second one left. */
    writer = bench_writer(bench, type, &options);
    bench_commit(bench, writer);
    struct map *again = bench_open_file(bench, type, "t", MAP_FOLD);
    indexed_assert_entries(bench, again, expected);
    map_close(&again);
    map_close(&map);
    bench_free(bench);
}

static inline void indexed_test_errors(const char *type)
{
    const struct map_writer_options options = {.incremental = true, .must_exist = true};
    struct bench *bench = bench_with_module(type, "");
    assert_null(bench_writer(bench, type, &options));
    char *text = xasprintf("open database %s/t.%s: No such file or directory",
                           bench->directory, type);
    assert_string_equal(bench->err.text, text);
    free(text);
    struct map *map = bench_open_file(bench, type, "t", 0);
    assert_string_equal(bench_ask(bench, map, "a"), "(error)");
    map_close(&map);
    char *name = xasprintf("t.%s", type);
    test_write_file(bench->directory, name, "this is not a table");
    free(name);
    map = bench_open_file(bench, type, "t", 0);
    assert_string_equal(bench_ask(bench, map, "a"), "(error)");
    map_close(&map);
    bench_free(bench);
}

#endif
