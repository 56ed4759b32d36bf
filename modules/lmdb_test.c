/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "modules/module_testing.h"

static void test_build(void **state)
{
    (void)state;
    indexed_test_build("lmdb", MAP_NUL_DEFAULT);
    indexed_test_build("lmdb", MAP_NUL_NONE);
}

static void test_change(void **state)
{
    (void)state;
    indexed_test_change("lmdb", "a=1 c=changed d=4 ");
}

static void test_errors(void **state)
{
    (void)state;
    indexed_test_errors("lmdb");
}

/* The file's size limit follows the content, in the middle of a batch too. */
static void test_growth(void **state)
{
    (void)state;
    enum { ENTRIES = 40000 };
    struct bench *bench = bench_with_module("lmdb", "lmdb_map_size = 65536");
    const struct map_writer_options options = {.mode = 0640};
    struct map_writer *writer = bench_writer(bench, "lmdb", &options);
    char key[32];
    for (int i = 0; i < ENTRIES; i++) {
        (void)snprintf(key, sizeof(key), "%d@example.com", i * 7919 % ENTRIES);
        assert_false(bench_put(bench, writer, MAP_PUT_NEW, key, key));
        assert_true(i % 1000 != 0 ||
                    bench_put(bench, writer, MAP_PUT_NEW, key, "again"));
    }
    bench_commit(bench, writer);
    struct map *map = bench_open_file(bench, "lmdb", "t", 0);
    for (int i = 0; i < ENTRIES; i++) {
        (void)snprintf(key, sizeof(key), "%d@example.com", i);
        assert_string_equal(bench_ask(bench, map, key), key);
    }
    map_close(&map);
    bench_free(bench);
}

static void test_long_keys(void **state)
{
    (void)state;
    struct bench *bench = bench_with_module("lmdb", "");
    char *key = xmalloc(1000);
    memset(key, 'k', 999);
    key[999] = '\0';
    const struct map_writer_options options = {.mode = 0640};
    struct map_writer *writer = bench_writer(bench, "lmdb", &options);
    bool existed;
    assert_int_equal(map_writer_put(writer, MAP_PUT_NEW, view_cstr(key), VIEW("v"),
                                    &existed, &bench->err),
                     TEMPFAIL);
    assert_non_null(strstr(bench->err.text, "key is too long for this type"));
    assert_false(bench_delete(bench, writer, key));
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "b"));
    bench_commit(bench, writer);
    struct map *map = bench_open_file(bench, "lmdb", "t", 0);
    assert_string_equal(bench_ask(bench, map, key), "(missing)");
    map_close(&map);
    free(key);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),     cmocka_unit_test(test_change),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_growth),
        cmocka_unit_test(test_long_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
