/* SPDX-License-Identifier: MIT */
/* Queue IDs, hashing, files in queues, and walks through them. */
#include "testing/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "mail/queue_dir.h"
#include "sys/file.h"

static char *directory;

static struct queue_dirs *make_dirs(const char *settings)
{
    struct err err;
    struct conf *conf = conf_open_text("/nonexistent", settings, &err);
    CHECK(conf != NULL);
    struct queue_dirs *dirs = queue_dirs_new(conf);
    conf_free(&conf);
    return dirs;
}

static int enter_directory(void **state)
{
    (void)state;
    static const char *const QUEUES[] = {"maildrop", "incoming", "active", "deferred",
                                         "hold"};
    directory = test_make_dir();
    CHECK(chdir(directory) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(QUEUES); i++) {
        CHECK(mkdir(QUEUES[i], 0700) == 0);
    }
    return 0;
}

static int leave_directory(void **state)
{
    (void)state;
    CHECK(chdir("/") == 0);
    test_remove_dir(directory);
    return 0;
}

static void test_ids(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX];
    uint64_t inode;
    queue_id_make(false, 1795336892000000 + 0x6f5e, 0x123abc, id);
    assert_string_equal(id, "06F5E123ABC");
    assert_true(queue_id_inode(id, &inode));
    assert_int_equal(inode, 0x123abc);
    assert_false(queue_id_is_long(id));
    queue_id_with_inode(id, 0xff, id);
    assert_string_equal(id, "06F5EFF");

    queue_id_make(true, 1795336892000000 + 999999, 0x123abc, id);
    assert_true(queue_id_is_long(id));
    assert_true(queue_id_inode(id, &inode));
    assert_int_equal(inode, 0x123abc);
    char hash[QUEUE_ID_MAX];
    queue_id_hash_text(id, hash);
    assert_string_equal(hash, "F423F");
    queue_id_with_inode(id, UINT64_MAX, id);
    assert_true(queue_id_inode(id, &inode));
    assert_true(inode == UINT64_MAX);
    queue_id_make(true, 0, 0, id);
    assert_string_equal(id, "0000000000z0");
    queue_id_make(false, INT64_MAX, UINT64_MAX, id);
    assert_true(queue_id_valid(view_cstr(id)));
    queue_id_make(true, INT64_MAX, UINT64_MAX, id);
    assert_true(queue_id_valid(view_cstr(id)));
}

/* Seen on a reference system at 2026-11-22 08:41:33. */
static void test_known_long_id(void **state)
{
    (void)state;
    char hash[QUEUE_ID_MAX];
    uint64_t inode;
    assert_true(queue_id_inode("4jXMxT63H7z1cTBy", &inode));
    queue_id_hash_text("4jXMxT63H7z1cTBy", hash);
    assert_int_equal(strlen(hash), 5);
    char id[QUEUE_ID_MAX];
    uint64_t microseconds = strtoull(hash, NULL, 16);
    for (int64_t second = 1795336893 - 10; second < 1795336893 + 10; second++) {
        queue_id_make(true, second * 1000000 + (int64_t)microseconds, inode, id);
        if (strcmp(id, "4jXMxT63H7z1cTBy") == 0) {
            return;
        }
    }
    fail_msg("the time in the ID is not what it should be");
}

static void test_validity(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"0123456789A", "all", "ALL", "AB"};
    static const char *const BAD[] = {
        "",    "A",   "../../etc", "a/b",
        "a.b", "a b", "a_b",       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ".",   "a\n"};
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        assert_true(queue_id_valid(view_cstr(GOOD[i])));
        assert_true(queue_id_plausible(view_cstr(GOOD[i])));
    }
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        assert_false(queue_id_valid(view_cstr(BAD[i])));
    }
    assert_true(queue_id_plausible(VIEW("a_b")));
    assert_false(queue_id_plausible(VIEW("../x")));
    assert_false(queue_id_plausible(VIEW("")));
    uint64_t inode;
    assert_false(queue_id_inode("new", &inode));
    assert_false(queue_id_inode("ABCDE", &inode));
    assert_false(queue_id_inode("abcde1", &inode));
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *queue, *id, *path;
    } CASES[] = {
        {"", "deferred", "6F5E0123", "deferred/6/6F5E0123"},
        {"", "incoming", "6F5E0123", "incoming/6F5E0123"},
        {"", "defer", "6F5E0123", "defer/6/6F5E0123"},
        {"", "bounce", "6F5E0123", "bounce/6F5E0123"},
        {"hash_queue_depth = 2\n", "deferred", "6F5E0123", "deferred/6/F/6F5E0123"},
        {"hash_queue_names = incoming, active\n", "deferred", "6F5E0",
         "deferred/6F5E0"},
        {"hash_queue_names = incoming, active\n", "active", "6F5E0", "active/6/6F5E0"},
        {"hash_queue_depth = 9\n", "deferred", "AB", "deferred/A/B/AB"},
    };
    STR_AUTO struct str path = {0};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct queue_dirs *dirs = make_dirs(CASES[i].settings);
        queue_path(dirs, CASES[i].queue, CASES[i].id, &path);
        assert_string_equal(str_ptr(&path), CASES[i].path);
        str_truncate(&path, view_last_index(str_view(&path), '/'));
        assert_true(
            queue_path_is_in(dirs, CASES[i].queue, str_ptr(&path), CASES[i].id));
        static const char *const OTHERS[] = {
            "", "deferred/7", "deferred/66", "deferred/6/F/5", "incoming/6", "defer/7"};
        for (size_t j = 0; j < ARRAY_SIZE(OTHERS); j++) {
            assert_false(
                queue_path_is_in(dirs, CASES[i].queue, OTHERS[j], CASES[i].id));
        }
        queue_dirs_free(&dirs);
    }
}

/* In maildrop/ a message may lie in a hash directory. */
static void test_requeued(void **state)
{
    (void)state;
    static const char *const QUEUES[] = {"maildrop", NULL};
    struct queue_dirs *dirs = make_dirs("");
    STR_AUTO struct str path = {0};
    CHECK(mkdir("maildrop/A", 0700) == 0);
    test_write_file("maildrop/A", "ABCDE1", "");
    test_write_file("maildrop/A", "ABCDE2", "");
    assert_string_equal(queue_find(dirs, QUEUES, "ABCDE1"), "maildrop");
    int fd = queue_open_where(dirs, QUEUE_MAILDROP, "ABCDE1", O_RDONLY, &path);
    assert_true(fd >= 0);
    close(fd);
    assert_string_equal(str_ptr(&path), "maildrop/A/ABCDE1");
    assert_true(queue_move(dirs, QUEUE_MAILDROP, QUEUE_HOLD, "ABCDE1"));
    assert_int_equal(access("hold/ABCDE1", F_OK), 0);
    assert_true(queue_remove(dirs, QUEUE_MAILDROP, "ABCDE2"));
    assert_int_equal(rmdir("maildrop/A"), 0);
    assert_int_equal(queue_open(dirs, QUEUE_MAILDROP, "ABCDE2", O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);
    assert_false(queue_remove(dirs, QUEUE_MAILDROP, "ABCDE2"));
    assert_int_equal(errno, ENOENT);
    queue_dirs_free(&dirs);
}

static size_t count_found(const struct queue_dirs *dirs, const char *queue)
{
    struct queue_scan *scan = queue_scan_open(dirs, queue);
    char id[QUEUE_ID_MAX];
    size_t count = 0;
    while (queue_scan_next(scan, id)) {
        count++;
    }
    queue_scan_close(&scan);
    return count;
}

/* Links lead out of the queue, and others may have made directories in maildrop/. */
static void test_scan_trusts_nobody(void **state)
{
    (void)state;
    struct queue_dirs *dirs = make_dirs("");
    CHECK(mkdir("elsewhere", 0700) == 0 && mkdir("maildrop/A", 0700) == 0);
    test_write_file("elsewhere", "ABCDE1", "");
    test_write_file("maildrop/A", "ABCDE2", "");
    CHECK(symlink("../elsewhere", "deferred/A") == 0);
    CHECK(symlink("elsewhere", "linked") == 0);
    assert_int_equal(count_found(dirs, "deferred"), 0);
    assert_int_equal(count_found(dirs, "linked"), 1); /* the administrator's wish */
    assert_int_equal(count_found(dirs, "maildrop"), 1);
    if (geteuid() == 0) {
        enum { SOMEBODY = 65534 };
        CHECK(chown("maildrop/A", SOMEBODY, SOMEBODY) == 0);
        assert_int_equal(count_found(dirs, "maildrop"), 0);
    }
    queue_dirs_free(&dirs);
}

static void test_files(void **state)
{
    (void)state;
    static const char *const QUEUES[] = {"hold", "deferred", "incoming", NULL};
    struct queue_dirs *dirs = make_dirs("");
    char id[QUEUE_ID_MAX];
    struct err err;
    struct stat st;
    int fd = queue_create(dirs, QUEUE_INCOMING, false, id, &err);
    assert_true(fd >= 0);
    uint64_t inode = 0;
    assert_true(fstat(fd, &st) == 0 && queue_id_inode(id, &inode));
    assert_int_equal(inode, st.st_ino);
    assert_int_equal(st.st_mode & 0777, 0600);
    int other = queue_open(dirs, QUEUE_INCOMING, id, O_RDONLY);
    assert_true(other >= 0);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1); /* being written */
    close(fd);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    close(other);
    assert_string_equal(queue_find(dirs, QUEUES, id), "incoming");
    assert_true(queue_move(dirs, QUEUE_INCOMING, QUEUE_DEFERRED, id));
    assert_string_equal(queue_find(dirs, QUEUES, id), "deferred");
    assert_false(queue_move(dirs, QUEUE_INCOMING, QUEUE_HOLD, id));
    assert_int_equal(errno, ENOENT);
    /* never replaces */
    test_write_file("incoming", id, "x");
    assert_false(queue_move(dirs, QUEUE_INCOMING, QUEUE_DEFERRED, id));
    assert_int_equal(errno, EEXIST);
    assert_true(queue_remove(dirs, QUEUE_INCOMING, id));
    assert_true(queue_remove(dirs, QUEUE_DEFERRED, id));
    assert_null(queue_find(dirs, QUEUES, id));
    fd = queue_create(dirs, QUEUE_MAILDROP, true, id, &err);
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && queue_id_is_long(id));
    assert_int_equal(st.st_mode & 0777, 0644);
    close(fd);
    assert_int_equal(queue_create(dirs, "nowhere", false, id, &err), -1);
    assert_int_equal(err.code, ENOENT);
    queue_dirs_free(&dirs);
}

static void test_scan(void **state)
{
    (void)state;
    struct queue_dirs *dirs = make_dirs("");
    CHECK(mkdir("deferred/A", 0700) == 0 && mkdir("deferred/A/B", 0700) == 0);
    test_write_file("deferred/A", "AAA1", "");
    test_write_file("deferred/A/B", "AAA2", "");
    test_write_file("deferred", "AAA3", "");
    test_write_file("deferred", "123.456", "");
    test_write_file("deferred", ".hidden", "");
    struct queue_scan *scan = queue_scan_open(dirs, QUEUE_DEFERRED);
    char id[QUEUE_ID_MAX];
    unsigned seen = 0;
    while (queue_scan_next(scan, id)) {
        assert_int_equal(strlen(id), 4);
        seen |= 1U << (id[3] - '0');
    }
    queue_scan_close(&scan);
    assert_int_equal(seen, 2 | 4 | 8);
    scan = queue_scan_open(dirs, QUEUE_DEFERRED);
    struct queue_entry entry;
    size_t count = 0;
    while (queue_scan_next_entry(scan, &entry)) {
        STR_AUTO struct str path = {0};
        struct stat st;
        str_printf(&path, "%s/%s", entry.directory, entry.name);
        assert_int_equal(lstat(str_ptr(&path), &st), 0);
        assert_int_equal(st.st_ino, entry.inode);
        count++;
    }
    assert_int_equal(count, 4);
    queue_scan_close(&scan);
    scan = queue_scan_open(dirs, "nowhere");
    assert_false(queue_scan_next(scan, id));
    queue_scan_close(&scan);
    queue_dirs_free(&dirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_known_long_id),
        cmocka_unit_test(test_validity),
        cmocka_unit_test(test_paths),
        cmocka_unit_test_setup_teardown(test_files, enter_directory, leave_directory),
        cmocka_unit_test_setup_teardown(test_requeued, enter_directory,
                                        leave_directory),
        cmocka_unit_test_setup_teardown(test_scan, enter_directory, leave_directory),
        cmocka_unit_test_setup_teardown(test_scan_trusts_nobody, enter_directory,
                                        leave_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
