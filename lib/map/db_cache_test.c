/* SPDX-License-Identifier: MIT */
/* hash: and btree: tables that are changed while they are open. */
#include "testing/test.h"

#include "map/map_testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const types[] = {"hash", "btree"};

static bool count_entry(void *context, struct view key, struct view value)
{
    str_printf(context, "%.*s=%.*s ", VIEW_ARG(key), VIEW_ARG(value));
    return true;
}

static void test_changes(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < ARRAY_SIZE(types); kind++) {
        struct bench *bench = bench_new("");
        STR_AUTO struct str entries = {0};
        struct map *map =
            bench_open_file(bench, types[kind], "t", MAP_FOLD | MAP_WRITE);
        assert_null(map_open_error(map)); /* a new file */
        assert_string_equal(bench_ask(bench, map, "Key"), "(missing)");
        assert_int_equal(map_put(map, VIEW("Key"), VIEW("one"), &bench->err), OK);
        assert_int_equal(map_put(map, VIEW("kEY"), VIEW("two"), &bench->err), OK);
        assert_string_equal(bench_ask(bench, map, "key"), "two");
        assert_int_equal(map_walk(map, count_entry, &entries, &bench->err), OK);
        assert_string_equal(str_ptr(&entries), "key=two ");
        /* Others see it, with the file as it is. */
        struct map *reader = bench_open_file(bench, types[kind], "t", 0);
        assert_string_equal(bench_ask(bench, reader, "key"), "two");
        map_close(&reader);
        assert_int_equal(map_remove(map, VIEW("KEY"), &bench->err), MAP_FOUND);
        assert_int_equal(map_remove(map, VIEW("key"), &bench->err), MAP_MISSING);
        assert_int_equal(map_remove(map, VIEW(""), &bench->err), MAP_MISSING);
        assert_string_equal(bench_ask(bench, map, "key"), "(missing)");
        assert_false(map_changed(map)); /* by ourselves */
        map_close(&map);
        /* It lasts, and only its owner may read it. */
        map = bench_open_file(bench, types[kind], "t", MAP_WRITE);
        assert_int_equal(map_put(map, VIEW("a"), VIEW(""), &bench->err), OK);
        map_close(&map);
        map = bench_open_file(bench, types[kind], "t", MAP_WRITE);
        assert_string_equal(bench_ask(bench, map, "a"), "");
        map_close(&map);
        struct stat st;
        char *path = xasprintf("%s/t.db", bench->directory);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        free(path);
        assert_log(bench, "");
        bench_free(bench);
    }
}

/* Opens the table once told to, and wants to see what the first process wrote last. */
static void be_second(const struct bench *bench, int go)
{
    char byte;
    struct bench *own = bench_new("");
    char *name = xasprintf("btree:%s/t", bench->directory);
    if (read(go, &byte, 1) != 1) {
        _exit(2);
    }
    struct map *map = map_open(own->conf, view_cstr(name), MAP_WRITE);
    _exit(strcmp(bench_ask(own, map, "last"), "word") == 0 ? 0 : 1);
}

/* Two processes at a time would undo each other's work: the second one waits. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    int go[2];
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        be_second(bench, go[0]);
    }
    struct map *map = bench_open_file(bench, "btree", "t", MAP_WRITE);
    assert_int_equal(map_put(map, VIEW("k"), VIEW("parent"), &bench->err), OK);
    assert_int_equal(write(go[1], "x", 1), 1);
    (void)usleep(200 * 1000);
    assert_int_equal(map_put(map, VIEW("last"), VIEW("word"), &bench->err), OK);
    map_close(&map);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(close(go[0]), 0);
    assert_int_equal(close(go[1]), 0);
    bench_free(bench);
}

static void test_replaced(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map = bench_open_file(bench, "hash", "t", MAP_WRITE);
    char *path = xasprintf("%s/t.db", bench->directory);
    assert_int_equal(unlink(path), 0);
    test_write_file(bench->directory, "t.db", "");
    assert_true(map_changed(map)); /* somebody has begun a new one */
    map_close(&map);
    /* A link leads where its owner wants it to, not we. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    map = bench_open_file(bench, "hash", "t", MAP_WRITE | MAP_QUIET);
    assert_non_null(map_open_error(map));
    map_close(&map);
    free(path);
    free(bench_take(bench));
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
