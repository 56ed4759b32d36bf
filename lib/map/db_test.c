/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/writer_testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/file.h"

static const char *const types[] = {"hash", "btree"};
static const struct map_writer_options fresh = {.nul = MAP_NUL_ADD, .mode = 0640};
static const struct map_writer_options more = {
    .nul = MAP_NUL_ADD, .incremental = true, .mode = 0640};

static struct stat stat_db(struct bench *bench)
{
    struct stat st = {0};
    char *path = xasprintf("%s/t.db", bench->directory);
    (void)stat(path, &st);
    free(path);
    return st;
}

/* Nothing but what should be there is left in the directory. */
static size_t count_files(struct bench *bench)
{
    size_t count = 0;
    DIR *dir = opendir(bench->directory);
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count - 2; /* . and .. */
}

static void test_build_and_find(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < ARRAY_SIZE(types); kind++) {
        struct bench *bench = bench_new("");
        struct map_writer *writer = bench_writer(bench, types[kind], &fresh);
        assert_false(bench_put(bench, writer, MAP_PUT_NEW, "alice", "Alice Jones"));
        assert_true(bench_put(bench, writer, MAP_PUT_NEW, "alice", "again"));
        assert_false(bench_put(bench, writer, MAP_PUT_NEW, "bob", "b"));
        assert_false(bench_put(bench, writer, MAP_PUT_REPLACE, "bob", "Bob"));
        assert_false(bench_put(bench, writer, MAP_PUT_BARE, "bare", "no NUL"));
        bench_commit(bench, writer);
        assert_int_equal(stat_db(bench).st_mode & 0777, 0640);
        assert_int_equal(count_files(bench), 1);

        struct map *map = bench_open_file(bench, types[kind], "t", MAP_FOLD);
        assert_string_equal(bench_ask(bench, map, "ALICE"), "Alice Jones");
        assert_string_equal(bench_ask(bench, map, "bob"), "Bob");
        assert_string_equal(bench_ask(bench, map, "bare"), "no NUL");
        assert_string_equal(bench_ask(bench, map, "ali"), "(missing)");
        assert_string_equal(bench_ask(bench, map, ""), "(missing)");
        assert_int_equal(map_owner(map), geteuid());
        assert_false(map_changed(map));
        map_close(&map);
        bench_free(bench);
    }
}

static void test_large_entries(void **state)
{
    (void)state;
    enum { BYTES = 200 * 1000 };
    struct bench *bench = bench_new("");
    char *value = xmalloc(BYTES + 1);
    memset(value, 'v', BYTES);
    value[BYTES] = '\0';
    struct map_writer *writer = bench_writer(bench, "hash", &fresh);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "k", value));
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, value, "x"));
    bench_commit(bench, writer);
    struct map *map = bench_open_file(bench, "hash", "t", 0);
    assert_string_equal(bench_ask(bench, map, "k"), value);
    assert_string_equal(bench_ask(bench, map, value), "x");
    map_close(&map);
    free(value);
    bench_free(bench);
}

static void test_many_entries(void **state)
{
    (void)state;
    enum { ENTRIES = 20000 };
    struct bench *bench = bench_new("");
    struct map_writer_options options = fresh;
    options.source_bytes = 4 * 1024 * 1024;
    char key[32];
    for (size_t kind = 0; kind < ARRAY_SIZE(types); kind++) {
        struct map_writer *writer = bench_writer(bench, types[kind], &options);
        for (int i = 0; i < ENTRIES; i++) {
            (void)snprintf(key, sizeof(key), "user%d@example.com", i);
            assert_false(bench_put(bench, writer, MAP_PUT_NEW, key, key));
        }
        bench_commit(bench, writer);
        struct map *map = bench_open_file(bench, types[kind], "t", 0);
        for (int i = 0; i < ENTRIES; i += 7) {
            (void)snprintf(key, sizeof(key), "user%d@example.com", i);
            assert_string_equal(bench_ask(bench, map, key), key);
        }
        map_close(&map);
    }
    bench_free(bench);
}

static void test_incremental(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    bool existed;
    struct map_writer *writer = bench_writer(bench, "hash", &more);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "1"));
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "b", "2"));
    assert_false(bench_put(bench, writer, MAP_PUT_NEW | MAP_PUT_BARE, "c", "3"));
    bench_commit(bench, writer);
    char *path = xasprintf("%s/t.db", bench->directory);
    assert_int_equal(chmod(path, 0604), 0);
    free(path);

    writer = bench_writer(bench, "hash", &more);
    assert_true(bench_put(bench, writer, MAP_PUT_NEW, "a", "again"));
    assert_int_equal(map_writer_delete(writer, VIEW("b"), &existed, &bench->err), OK);
    assert_true(existed);
    assert_int_equal(map_writer_delete(writer, VIEW("c"), &existed, &bench->err), OK);
    assert_true(existed);
    assert_int_equal(map_writer_delete(writer, VIEW("zz"), &existed, &bench->err), OK);
    assert_false(existed);
    bench_commit(bench, writer);
    assert_int_equal(stat_db(bench).st_mode & 0777, 0604);

    /* What is not committed did not happen. */
    writer = bench_writer(bench, "hash", &fresh);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "other"));
    map_writer_abort(&writer);
    assert_null(writer);
    assert_int_equal(count_files(bench), 1);
    struct map *map = bench_open_file(bench, "hash", "t", 0);
    assert_string_equal(bench_ask(bench, map, "a"), "1");
    assert_string_equal(bench_ask(bench, map, "b"), "(missing)");
    assert_string_equal(bench_ask(bench, map, "c"), "(missing)");
    map_close(&map);
    bench_free(bench);
}

/* "hash:D/t" with the entry a=VALUE, built and opened. */
static struct map *open_with_entry(struct bench *bench, const char *value)
{
    struct map_writer *writer = bench_writer(bench, "hash", &fresh);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", value));
    bench_commit(bench, writer);
    return bench_open_file(bench, "hash", "t", MAP_FOLD);
}

/* Readers go over to a new file by themselves. */
static void test_replacement(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map = open_with_entry(bench, "old");
    struct map_writer *writer = bench_writer(bench, "hash", &fresh);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "new"));
    bench_commit(bench, writer);
    assert_false(map_changed(map));
    assert_string_equal(bench_ask(bench, map, "a"), "new");
    assert_log(bench, "table hash:D/t(0,lock|fold_fix|utf8_request) has changed -- "
                      "reopened\n");
    map_close(&map);
    bench_free(bench);
}

/* Whoever wants it fresh sees the next one, too, though he has looked a moment ago. */
static void test_fresh(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *other = open_with_entry(bench, "old");
    struct map *map = bench_open_file(bench, "hash", "t", MAP_FRESH);
    assert_string_equal(bench_ask(bench, map, "a"), "old");
    struct map_writer *writer = bench_writer(bench, "hash", &fresh);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "new"));
    bench_commit(bench, writer);
    assert_string_equal(bench_ask(bench, map, "a"), "new");
    map_close(&other);
    map_close(&map);
    bench_free(bench);
}

/* Where the new file is out of reach, the old one is used until the process can be
 * replaced. */
static void test_replacement_out_of_reach(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map = open_with_entry(bench, "old");
    char *path = xasprintf("%s/t.db", bench->directory);
    assert_int_equal(unlink(path), 0);
    free(path);
    test_write_file(bench->directory, "t.db", "not a database");
    assert_string_equal(bench_ask(bench, map, "a"), "old");
    assert_true(map_changed(map));
    assert_true(map_changed(map));
    assert_log(bench, "table hash:D/t(0,lock|fold_fix|utf8_request) has changed -- "
                      "restarting\n");
    map_close(&map);
    bench_free(bench);
}

/* While somebody edits the source the table may be older for a while. */
static void test_older_than_source(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    bench_commit(bench, bench_writer(bench, "hash", &fresh));
    test_write_file(bench->directory, "t", "a b\n");
    char *path = xasprintf("%s/t.db", bench->directory);
    const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
    struct map *map = bench_open_file(bench, "hash", "t", 0);
    map_close(&map);
    assert_log(bench, "");
    path[strlen(path) - 3] = '\0';
    const struct timespec later[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};
    assert_int_equal(utimensat(AT_FDCWD, path, later, 0), 0);
    map = bench_open_file(bench, "hash", "t", 0);
    map_close(&map);
    assert_log(bench, "warning: database D/t.db is older than source file D/t\n");
    free(path);
    bench_free(bench);
}

/* Postfix's postmap writes into the file that we have open. */
static void test_overwritten(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    bench_commit(bench, bench_writer(bench, "hash", &fresh));
    struct map *map = bench_open_file(bench, "hash", "t", 0);
    char *path = xasprintf("%s/t.db", bench->directory);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(map_changed(map));
    free(path);
    map_close(&map);
    bench_free(bench);
}

/* An administrator may keep the table elsewhere. */
static void test_link(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    char *link = xasprintf("%s/t.db", bench->directory);
    char *real = xasprintf("%s/elsewhere.db", bench->directory);
    struct stat st;
    struct map_writer *writer = bench_writer(bench, "hash", &fresh);
    bench_commit(bench, writer);
    assert_int_equal(rename(link, real), 0);
    assert_int_equal(symlink("elsewhere.db", link), 0);
    writer = bench_writer(bench, "hash", &more);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "1"));
    bench_commit(bench, writer);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(count_files(bench), 2);
    struct map *map = bench_open_file(bench, "hash", "elsewhere", 0);
    assert_string_equal(bench_ask(bench, map, "a"), "1");
    map_close(&map);
    free(link);
    free(real);
    bench_free(bench);
}

static void test_errors(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map_writer_options options = more;
    options.must_exist = true;
    assert_null(bench_writer(bench, "hash", &options));
    assert_non_null(strstr(bench->err.text, "/t.db: No such file or directory"));

    bench_commit(bench, bench_writer(bench, "btree", &fresh));
    assert_null(bench_writer(bench, "hash", &more));
    assert_non_null(strstr(bench->err.text, "/t.db: Invalid argument"));
    struct map *map = bench_open_file(bench, "hash", "t", MAP_QUIET);
    assert_non_null(strstr(map_open_error(map), "/t.db: Invalid argument"));
    map_close(&map);

    test_write_file(bench->directory, "g.db",
                    "this is no database, however long it is");
    map = bench_open_file(bench, "hash", "g", MAP_QUIET);
    assert_non_null(strstr(map_open_error(map), "open database "));
    map_close(&map);

    struct err err = {0};
    assert_null(map_writer_open(bench->conf, "hash", "/nonexistent/d/t", &fresh, &err));
    assert_string_equal(err.text,
                        "open database /nonexistent/d/t.db: No such file or directory");
    assert_int_equal(count_files(bench), 2);
    bench_free(bench);
}

/* Every length a file can be cut to is an error or an answer, never a crash. */
static void test_damaged(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map_writer *writer = bench_writer(bench, "hash", &fresh);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "1"));
    bench_commit(bench, writer);
    int64_t size = stat_db(bench).st_size;
    char *path = xasprintf("%s/t.db", bench->directory);
    for (int64_t cut = size - 512; cut >= 0; cut -= 512) {
        assert_int_equal(truncate(path, cut), 0);
        struct map *map = bench_open_file(bench, "hash", "t", MAP_QUIET);
        if (map_open_error(map) == NULL) {
            (void)bench_ask(bench, map, "a");
        }
        map_close(&map);
    }
    free(path);
    bench_free(bench);
}

/* Two processes that add to one table: both additions are there in the end. */
static void test_writers_exclude_each_other(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map_writer *writer = bench_writer(bench, "btree", &more);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "first", "1"));
    bench_commit(bench, writer);
    writer = bench_writer(bench, "btree", &more);
    pid_t child = fork();
    if (child == 0) {
        /* The lock belongs to the parent alone. */
        struct map_writer *own = bench_writer(bench, "btree", &more);
        bool existed = true;
        bool ok = own != NULL &&
                  map_writer_put(own, MAP_PUT_NEW, VIEW("child"), VIEW("c"), &existed,
                                 &bench->err) == OK &&
                  map_writer_commit(&own, &bench->err) == OK;
        _exit(ok ? 0 : 1);
    }
    assert_true(child > 0);
    const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "parent", "p"));
    bench_commit(bench, writer);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct map *map = bench_open_file(bench, "btree", "t", 0);
    assert_string_equal(bench_ask(bench, map, "first"), "1");
    assert_string_equal(bench_ask(bench, map, "parent"), "p");
    assert_string_equal(bench_ask(bench, map, "child"), "c");
    map_close(&map);
    bench_free(bench);
}

/* A table of ours in a directory that is not: the old file is overwritten. */
static void write_in_foreign_directory(struct bench *bench)
{
    struct map_writer *writer = bench_writer(bench, "hash", &fresh);
    bool existed;
    bool ok = writer != NULL &&
              map_writer_put(writer, MAP_PUT_NEW, VIEW("a"), VIEW("new"), &existed,
                             &bench->err) == OK &&
              map_writer_commit(&writer, &bench->err) == OK;
    _exit(ok ? 0 : 1);
}

static void test_in_place(void **state)
{
    (void)state;
    enum { SOMEBODY = 65534 };
    struct bench *bench = bench_new("");
    struct map_writer *writer = bench_writer(bench, "hash", &fresh);
    assert_false(bench_put(bench, writer, MAP_PUT_NEW, "a", "old"));
    bench_commit(bench, writer);
    struct stat before = stat_db(bench);
    char *path = xasprintf("%s/t.db", bench->directory);
    bool root = geteuid() == 0;
    assert_true(!root || chown(path, SOMEBODY, SOMEBODY) == 0);
    assert_int_equal(chmod(bench->directory, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        if (root && (setgid(SOMEBODY) != 0 || setuid(SOMEBODY) != 0)) {
            _exit(2);
        }
        write_in_foreign_directory(bench);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(bench->directory, 0755), 0);
    assert_int_equal(stat_db(bench).st_ino, before.st_ino);
    struct map *map = bench_open_file(bench, "hash", "t", 0);
    assert_string_equal(bench_ask(bench, map, "a"), "new");
    map_close(&map);
    free(path);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build_and_find),
        cmocka_unit_test(test_large_entries),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_incremental),
        cmocka_unit_test(test_replacement),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_replacement_out_of_reach),
        cmocka_unit_test(test_older_than_source),
        cmocka_unit_test(test_overwritten),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_writers_exclude_each_other),
        cmocka_unit_test(test_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
