/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include "map/migration.h"

static void assert_type(const char *main_cf, const char *type, const char *expected)
{
    struct bench *bench = bench_new(main_cf);
    assert_view_equal(migration_type(bench->conf, view_cstr(type)), expected);
    free(bench_take(bench));
    bench_free(bench);
}

static void test_types(void **state)
{
    (void)state;
    const char *redirect = "non_bdb_migration_level = enable-redirect\n"
                           "default_database_type = texthash\n"
                           "default_cache_db_type = lmdb\n";
    assert_type("", "hash", "hash");
    assert_type("default_database_type = lmdb", "hash", "hash");
    assert_type(redirect, "hash", "texthash");
    assert_type(redirect, "btree", "lmdb");
    assert_type(redirect, "pcre", "pcre");
    assert_type("non_bdb_migration_level = enable-redirect\n"
                "non_bdb_custom_mapping = hash=cdb, btree:lmdb\n",
                "hash", "cdb");
    assert_type("non_bdb_migration_level = enable-redirect\n"
                "non_bdb_custom_mapping = hash=cdb, btree:lmdb\n",
                "btree", "lmdb");
}

static void test_mistakes(void **state)
{
    (void)state;
    struct bench *bench = bench_new("non_bdb_migration_level = enabled");
    assert_view_equal(migration_type(bench->conf, VIEW("hash")), "hash");
    assert_log(bench, "warning: bad value of non_bdb_migration_level: \"enabled\" "
                      "(disable, enable-redirect, enable-reindex): tables stay what "
                      "they are\n");
    bench_free(bench);
    bench = bench_new("non_bdb_migration_level = enable-redirect");
    assert_view_equal(migration_type(bench->conf, VIEW("hash")), "hash");
    assert_log(bench, "warning: non_bdb_migration_level: no other type for hash: set "
                      "default_database_type\n");
    bench_free(bench);
}

static void test_redirected_table(void **state)
{
    (void)state;
    struct bench *bench = bench_new("non_bdb_migration_level = enable-redirect\n"
                                    "default_database_type = texthash");
    test_write_file(bench->directory, "t", "a b\n");
    struct map *map = bench_open_file(bench, "hash", "t", MAP_FOLD);
    assert_string_equal(bench_ask(bench, map, "A"), "b");
    char *title = xasprintf("texthash:%s/t", bench->directory);
    assert_string_equal(map_name(map), title);
    free(title);
    map_close(&map);
    assert_log(bench, "redirecting hash:D/t to texthash:D/t\n");
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_redirected_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
