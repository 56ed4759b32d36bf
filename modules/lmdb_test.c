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

/* A cache: changed while it is open, by one process. */
static void test_cache(void **state)
{
    (void)state;
    enum { ENTRIES = 300 };
    struct bench *bench = bench_with_module("lmdb", "lmdb_map_size = 65536");
    struct map *map = bench_open_file(bench, "lmdb", "t", MAP_FOLD | MAP_WRITE);
    assert_null(map_open_error(map)); /* a new file */
    assert_string_equal(bench_ask(bench, map, "Key"), "(missing)");
    assert_int_equal(map_put(map, VIEW("Key"), VIEW("one"), &bench->err), OK);
    assert_int_equal(map_put(map, VIEW("kEY"), VIEW("two"), &bench->err), OK);
    assert_string_equal(bench_ask(bench, map, "key"), "two");
    assert_int_equal(map_remove(map, VIEW("KEY"), &bench->err), MAP_FOUND);
    assert_int_equal(map_remove(map, VIEW("key"), &bench->err), MAP_MISSING);
    assert_int_equal(map_remove(map, VIEW(""), &bench->err), MAP_MISSING);
    /* It grows, and others see it. */
    char key[32], value[1000];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    struct map *reader = NULL;
    for (int i = 0; i < ENTRIES; i++) {
        (void)snprintf(key, sizeof(key), "key %d", i);
        assert_int_equal(map_put(map, view_cstr(key), view_cstr(value), &bench->err),
                         OK);
        if (reader == NULL) {
            reader = bench_open_file(bench, "lmdb", "t", 0);
            assert_string_equal(bench_ask(bench, reader, key), value);
        }
    }
    assert_string_equal(bench_ask(bench, map, "key 299"), value);
    assert_false(map_changed(map)); /* by ourselves */
    map_close(&reader);
    map_close(&map);
    map = bench_open_file(bench, "lmdb", "t", MAP_WRITE); /* it lasts */
    assert_string_equal(bench_ask(bench, map, "key 0"), value);
    assert_int_equal(map_put(map, view_cstr(value), VIEW("x"), &bench->err), PERMFAIL);
    map_close(&map);
    struct stat st;
    char *path = xasprintf("%s/t.lmdb", bench->directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(path);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),     cmocka_unit_test(test_change),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_growth),
        cmocka_unit_test(test_long_keys), cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
