/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "modules/sql_testing.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#define QUERY "query = SELECT v FROM t WHERE k = '%s'\n"

static void execute(struct bench *bench, const char *statement)
{
    sqlite3 *db;
    char *path = xasprintf("%s/db", bench->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    free(path);
}

static struct bench *new_bench(void)
{
    struct bench *bench = sql_bench("sqlite", "");
    execute(bench, "CREATE TABLE t (k TEXT, v TEXT, w TEXT);"
                   "INSERT INTO t VALUES ('user@example.com', 'box', 'other'),"
                   " ('two', 'a', ''), ('two', 'b@c', ''), ('null', NULL, 'x'),"
                   " ('empty', '', 'x'), ('o''neill', 'quoted', '')");
    return bench;
}

static struct map *open_table(struct bench *bench, const char *settings)
{
    char *text = xasprintf("dbpath = %s/db\n%s", bench->directory, settings);
    struct map *map = sql_open(bench, "sqlite", text);
    free(text);
    assert_null(map_open_error(map));
    return map;
}

/* The answer to one question, or "(missing)" or "(error)".  Valid until the next. */
static const char *ask(struct bench *bench, const char *settings, const char *key)
{
    struct map *map = open_table(bench, settings);
    const char *answer = bench_ask(bench, map, key);
    map_close(&map);
    return answer;
}

static void test_lookups(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct map *map = open_table(bench, QUERY);
    assert_false(map_is_pattern(map));
    assert_int_equal(map_owner(map), geteuid());
    assert_string_equal(bench_ask(bench, map, "User@Example.COM"), "box");
    assert_string_equal(bench_ask(bench, map, "two"), "a,b@c");
    assert_string_equal(bench_ask(bench, map, "none"), "(missing)");
    assert_string_equal(bench_ask(bench, map, "null"), "(missing)");
    assert_log(bench, "");
    assert_string_equal(bench_ask(bench, map, "empty"), "(missing)");
    assert_log(bench, "warning: table \"sqlite:D/t.cf\": empty lookup result for: "
                      "\"empty\" -- ignored\n");
    assert_string_equal(bench_ask(bench, map, "bad\xff"), "(missing)");
    assert_log(bench, "warning: sqlite:D/t.cf: non-UTF-8 key \"bad?\"\n");
    map_close(&map);
    /* The first column only. */
    assert_string_equal(ask(bench, "query = SELECT v, w FROM t WHERE k = '%u@%d'\n",
                            "user@example.com"),
                        "box");
    assert_string_equal(ask(bench, "query = SELECT 12.5\n", "k"), "12.5");
    assert_string_equal(ask(bench, QUERY "result_format = smtp:[%s]\n", "two"),
                        "smtp:[a],smtp:[b@c]");
    assert_string_equal(ask(bench, QUERY "expansion_limit = 1\n", "two"), "(error)");
    assert_string_equal(ask(bench, QUERY "domain = example.org\n", "user@example.com"),
                        "(missing)");
    free(bench_take(bench));
    bench_free(bench);
}

/* What a client of the mail server may make up. */
static void test_hostile_keys(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct map *map = open_table(bench, QUERY);
    assert_string_equal(bench_ask(bench, map, "o'neill"), "quoted");
    static const char *const keys[] = {
        "' OR '1'='1",
        "x' OR 1=1 --",
        "'; DROP TABLE t; --",
        "\\' OR 1=1 --",
        "'' OR 1=1",
        "%' OR k LIKE '%",
        "x'||(SELECT v FROM t LIMIT 1)||'",
        "two'--",
        "'",
        "''",
        "\"",
        "%s",
        "\xe2\x80\x99 OR 1=1",
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        assert_string_equal(bench_ask(bench, map, keys[i]), "(missing)");
    }
    assert_string_equal(bench_ask(bench, map, "two"), "a,b@c");
    assert_log(bench, "");
    map_close(&map);
    /* Keys come back as they are. */
    map = open_table(bench, "query = SELECT '%s'\n");
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        STR_AUTO struct str folded = {0};
        str_add_lower(&folded, view_cstr(keys[i]));
        assert_string_equal(bench_ask(bench, map, keys[i]), str_ptr(&folded));
    }
    map_close(&map);
    assert_log(bench, "");
    bench_free(bench);
}

static void test_warns_of_open_queries(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool warned;
    } cases[] = {
        {"SELECT v FROM t WHERE k = %s", true},
        {"SELECT v FROM t WHERE k = \"%s\"", true}, /* a name, not a string */
        {"SELECT 'x' WHERE %u = 'y'", true},
        {"SELECT v FROM t WHERE k = 'a%s'", false},
        {"SELECT v FROM t WHERE k = 'it''s %s'", false},
        {"SELECT v FROM t WHERE w LIKE '%%x' AND k = '%s'", false},
        {"SELECT 5 %% 3", false},
    };
    struct bench *bench = new_bench();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = xasprintf("query = %s\n", cases[i].query);
        struct map *map = open_table(bench, text);
        char *log = bench_take(bench);
        assert_int_equal(strstr(log, "is not inside a string") != NULL,
                         cases[i].warned);
        free(log);
        map_close(&map);
        free(text);
    }
    bench_free(bench);
}

/* Configurations older than "query". */
static void test_legacy(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    assert_string_equal(ask(bench,
                            "table = t\nselect_field = v\nwhere_field = k\n"
                            "additional_conditions = AND v <> 'a'\n",
                            "two"),
                        "b@c");
    char *error = sql_open_error(bench, "sqlite", "dbpath = /x\ntable = t\n");
    assert_string_equal(error, "D/t.cf: bad string length 0 < 1: select_field = ");
    free(error);
    bench_free(bench);
}

static void test_main_cf(void **state)
{
    (void)state;
    struct bench *bench =
        sql_bench("sqlite", "s_dbpath = $config_directory/db\n"
                            "s_query = SELECT v FROM t WHERE k = '%s'");
    execute(bench, "CREATE TABLE t (k TEXT, v TEXT); INSERT INTO t VALUES ('k', 'v')");
    struct map *map = map_open(bench->conf, VIEW("sqlite:s"), 0);
    assert_string_equal(bench_ask(bench, map, "k"), "v");
    map_close(&map);
    map = map_open(bench->conf, VIEW("sqlite:none"), MAP_QUIET);
    assert_string_equal(map_open_error(map), "bad string length 0 < 1: none_dbpath = ");
    map_close(&map);
    bench_free(bench);
}

static void test_errors(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    char *error = sql_open_error(bench, "sqlite", "dbpath = /nonexistent/db\n" QUERY);
    assert_string_equal(error,
                        "D/t.cf: Can't open database: /nonexistent/db: unable to "
                        "open database file");
    free(error);
    error = sql_open_error(bench, "sqlite", QUERY);
    assert_string_equal(error, "D/t.cf: bad string length 0 < 1: dbpath = ");
    free(error);
    error = sql_open_error(bench, "sqlite", "dbpath = /x\nquery = SELECT %x\n");
    assert_string_equal(error, "D/t.cf: Invalid query template: SELECT %x");
    free(error);
    assert_string_equal(ask(bench, "query = SELECT nosuch FROM t\n", "k"), "(error)");
    assert_log(bench,
               "warning: sqlite:D/t.cf: SQL prepare failed: no such column: nosuch\n");
    assert_string_equal(ask(bench, "query = DELETE FROM t\n", "k"), "(error)");
    assert_string_equal(ask(bench, QUERY, "two"), "a,b@c");
    free(bench_take(bench));
    bench_free(bench);
}

/* A lookup that takes too long, and a database that somebody else has locked. */
static void test_slow(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    assert_string_equal(ask(bench,
                            "timeout = 1\nquery = WITH RECURSIVE n(i) AS (SELECT 1 "
                            "UNION ALL SELECT i FROM n) SELECT max(i) FROM n\n",
                            "k"),
                        "(error)");
    assert_log(bench, "warning: sqlite:D/t.cf: SQL step failed: interrupted\n");
    sqlite3 *db;
    char *path = xasprintf("%s/db", bench->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_string_equal(ask(bench, "timeout = 1\n" QUERY, "two"), "(error)");
    assert_non_null(strstr(bench->err.text, "database is locked"));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_string_equal(ask(bench, "timeout = 1\n" QUERY, "two"), "a,b@c");
    free(bench_take(bench));
    free(path);
    bench_free(bench);
}

static void test_replaced_file(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct map *map = open_table(bench, QUERY);
    execute(bench, "INSERT INTO t VALUES ('new', 'entry', '')");
    assert_string_equal(bench_ask(bench, map, "new"), "entry");
    assert_false(map_changed(map));
    char *path = xasprintf("%s/db", bench->directory);
    char *old = xasprintf("%s.old", path);
    assert_int_equal(rename(path, old), 0);
    assert_false(map_changed(map)); /* about to be replaced */
    test_write_file(bench->directory, "db", "");
    assert_true(map_changed(map));
    free(old);
    free(path);
    map_close(&map);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_hostile_keys),
        cmocka_unit_test(test_warns_of_open_queries),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_main_cf),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_replaced_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
