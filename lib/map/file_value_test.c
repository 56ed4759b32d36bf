/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include "map/file_value.h"
#include "map/writer.h"

static void make_files(struct bench *bench)
{
    test_write_file(bench->directory, "one", "one");
    test_write_file(bench->directory, "two", "two\n");
    test_write_file(bench->directory, "empty", "");
}

/* TITLE with D for the directory. */
static struct map *open_titled(struct bench *bench, const char *title)
{
    STR_AUTO struct str name = {0};
    for (; *title != '\0'; title++) {
        if (*title == 'D') {
            str_add_cstr(&name, bench->directory);
        } else {
            str_add_byte(&name, *title);
        }
    }
    return map_open(bench->conf, str_view(&name), MAP_FOLD | MAP_FILE_VALUES);
}

/* Every type gives the content of the file that its value names. */
static void test_types(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    make_files(bench);
    static const struct {
        const char *table, *key, *answer;
    } rows[] = {
        {"static:D/one", "any", "one"},
        {"static:{D/one D/two}", "any", "one\ntwo\n"},
        {"inline:{k=D/two}", "k", "two\n"},
        {"inline:{{k=D/two, D/one}}", "k", "two\n\none"},
        {"randmap:{D/one, D/one}", "any", "one"},
        {"pcre:{{/(k)/ D/one}}", "k", "one"},
        {"regexp:{{/(k)/ D/two}}", "k", "two\n"},
        {"cidr:{{10.0.0.0/8 D/one}}", "10.1.2.3", "one"},
        {"pipemap:{inline:{k=D/one}}", "k", "one"},
        {"environ:x", "table_test_files", "two\n"},
        {"texthash:D/table", "k", "one"},
        {"texthash:D/table", "e", "\none"},
    };
    char *line = xasprintf("k %s/one\ne %s/empty,%s/one\n", bench->directory,
                           bench->directory, bench->directory);
    test_write_file(bench->directory, "table", line);
    free(line);
    char *path = xasprintf("%s/two", bench->directory);
    assert_int_equal(setenv("table_test_files", path, 1), 0);
    free(path);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct map *map = open_titled(bench, rows[i].table);
        assert_string_equal(bench_ask(bench, map, rows[i].key), rows[i].answer);
        map_close(&map);
    }
    assert_log(bench, "");
    bench_free(bench);
}

static void test_missing_files(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    make_files(bench);
    static const char *const broken[] = {"static:D/none", "inline:{k=D/none}",
                                         "randmap:{D/none}"};
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        struct map *map = open_titled(bench, broken[i]);
        assert_non_null(
            strstr(map_open_error(map), "/none: No such file or directory"));
        map_close(&map);
    }
    free(bench_take(bench));
    /* Of a table with many entries only that one is left out. */
    struct map *map = open_titled(bench, "pcre:{{/k$1/ D/none} {/k/ D/one}}");
    assert_string_equal(bench_ask(bench, map, "k"), "one");
    map_close(&map);
    map = open_titled(bench, "cidr:{{0.0.0.0/0 D/none}}");
    assert_string_equal(bench_ask(bench, map, "10.0.0.1"), "(missing)");
    map_close(&map);
    assert_log(
        bench,
        "warning: pcre map {{/k$1/ D/none} {/k/ D/one}}, line 1: open D/none: No "
        "such file or directory: skipping this rule\n"
        "warning: cidr map {{0.0.0.0/0 D/none}}, line 1: open D/none: No such "
        "file or directory: skipping this rule\n");
    bench_free(bench);
}

/* Indexed files hold the content in base64. */
static void test_encoded(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    const struct map_writer_options options = {.mode = 0600};
    char *path = xasprintf("%s/t", bench->directory);
    struct map_writer *writer =
        map_writer_open(bench->conf, "hash", path, &options, &bench->err);
    bool existed;
    assert_int_equal(map_writer_put(writer, 0, VIEW("good"), VIEW("b25lCg=="), &existed,
                                    &bench->err),
                     OK);
    assert_int_equal(map_writer_put(writer, 0, VIEW("bad"), VIEW("plain text"),
                                    &existed, &bench->err),
                     OK);
    assert_int_equal(map_writer_commit(&writer, &bench->err), OK);
    free(path);
    struct map *map = open_titled(bench, "hash:D/t");
    assert_string_equal(bench_ask(bench, map, "good"), "one\n");
    assert_string_equal(bench_ask(bench, map, "bad"), "(error)");
    assert_string_equal(bench_ask(bench, map, "other"), "(missing)");
    map_close(&map);
    assert_log(bench, "warning: table hash:D/t: key bad: malformed BASE64 value: plain "
                      "text\n");
    bench_free(bench);
}

static void test_no_names(void **state)
{
    (void)state;
    struct err err;
    STR_AUTO struct str out = {0};
    assert_int_equal(file_value_load(VIEW(" , "), &out, &err), PERMFAIL);
    assert_int_equal(file_value_load(VIEW("/"), &out, &err), TEMPFAIL);
    assert_string_equal(err.text, "read /: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_encoded),
        cmocka_unit_test(test_no_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
