/* SPDX-License-Identifier: MIT */
/* Repairing names and places, and acting on messages, in a private spool. */
#include "testing/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "mail/queue_file.h"
#include "postsuper/postsuper.h"

static char *directory;
static struct postsuper postsuper;

static int set_up(void **state)
{
    (void)state;
    static const char *const QUEUES[] = {"defer",  "bounce",   "maildrop", "incoming",
                                         "active", "deferred", "hold",     "trace"};
    struct err err;
    struct conf *conf = conf_open_text("/nonexistent", "", &err);
    CHECK(conf != NULL);
    postsuper = (struct postsuper){.dirs = queue_dirs_new(conf)};
    conf_free(&conf);
    directory = test_make_dir();
    CHECK(chdir(directory) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(QUEUES); i++) {
        CHECK(mkdir(QUEUES[i], 0700) == 0);
        postsuper.queues[i] = QUEUES[i];
    }
    log_set_stderr(false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    CHECK(chdir("/") == 0);
    test_remove_dir(directory);
    queue_dirs_free(&postsuper.dirs);
    return 0;
}

static ino_t inode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* The file with INODE must be QUEUE's under the right name; ID_OUT is it. */
static void check_place(const char *queue, const char *old_id, ino_t inode,
                        char id_out[QUEUE_ID_MAX])
{
    STR_AUTO struct str path = {0};
    queue_id_with_inode(old_id, inode, id_out);
    queue_path(postsuper.dirs, queue, id_out, &path);
    assert_int_equal(inode_of(str_ptr(&path)), inode);
}

static void test_wrong_names(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX], log[64];
    test_write_file("deferred", "ABCDEF", "x");
    test_write_file("defer", "ABCDEF", "why");
    test_write_file("bounce", "ABCDEF", "what");
    test_write_file("hold", "0000000000z1", "long");
    ino_t inode = inode_of("deferred/ABCDEF");
    structure_check(&postsuper, &(struct structure_options){.names = true});
    check_place("deferred", "ABCDEF", inode, id);
    assert_int_equal(postsuper.renamed, 1);
    (void)snprintf(log, sizeof(log), "defer/A/%s", id);
    assert_int_equal(access(log, F_OK), 0);
    (void)snprintf(log, sizeof(log), "bounce/%s", id);
    assert_int_equal(access(log, F_OK), 0);
    assert_int_equal(access("hold/0000000000z1", F_OK), 0); /* long IDs may stay */
    inode = inode_of("hold/0000000000z1");
    structure_check(&postsuper,
                    &(struct structure_options){.names = true, .long_names = true});
    check_place("hold", "0000000000z1", inode, id);
    assert_int_equal(postsuper.renamed, 2);
}

/* Two files whose names are each other's. */
static void test_swapped_names(void **state)
{
    (void)state;
    char first[QUEUE_ID_MAX], second[QUEUE_ID_MAX], path[64], other[64],
        id[QUEUE_ID_MAX];
    test_write_file("incoming", "a", "1");
    test_write_file("incoming", "b", "2");
    ino_t one = inode_of("incoming/a"), two = inode_of("incoming/b");
    queue_id_with_inode("ABCDE1", one, first);
    queue_id_with_inode("ABCDE1", two, second);
    (void)snprintf(path, sizeof(path), "incoming/%s", second);
    (void)snprintf(other, sizeof(other), "incoming/%s", first);
    assert_int_equal(rename("incoming/a", path), 0);
    assert_int_equal(rename("incoming/b", other), 0);
    structure_check(&postsuper, &(struct structure_options){.names = true});
    check_place("incoming", "ABCDE1", one, id);
    check_place("incoming", "ABCDE1", two, id);
}

static void test_wrong_places(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX];
    CHECK(mkdir("deferred/A", 0700) == 0 && mkdir("deferred/A/B", 0700) == 0 &&
          mkdir("active/C", 0700) == 0);
    test_write_file("deferred/A/B", "ABCDE1", "1");
    test_write_file("active/C", "CCCCC1", "2");
    ino_t one = inode_of("deferred/A/B/ABCDE1"), two = inode_of("active/C/CCCCC1");
    structure_check(&postsuper, &(struct structure_options){.names = true});
    check_place("deferred", "ABCDE1", one, id);
    check_place("active", "CCCCC1", two, id);
    assert_int_equal(access("deferred/A/B", F_OK), -1);
    assert_int_equal(access("active/C", F_OK), -1);
    assert_int_equal(access("deferred/A", F_OK), 0);
}

static void age(const char *path, time_t seconds)
{
    time_t then = time(NULL) - seconds;
    struct timespec times[2] = {{.tv_sec = then}, {.tv_sec = then}};
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static void test_purge(void **state)
{
    (void)state;
    test_write_file("incoming", "123.456", "");
    test_write_file("incoming", "123.457", "");
    age("incoming/123.456", 8 * 24 * 3600);
    age("incoming/123.457", 24 * 3600);
    structure_check(&postsuper, &(struct structure_options){.names = true});
    assert_int_equal(access("incoming/123.456", F_OK), 0);
    structure_check(&postsuper, &(struct structure_options){.purge = true});
    assert_int_equal(access("incoming/123.456", F_OK), -1);
    assert_int_equal(access("incoming/123.457", F_OK), 0);
}

static void make_message(char id_out[QUEUE_ID_MAX])
{
    struct err err;
    int fd = queue_create(postsuper.dirs, QUEUE_INCOMING, false, id_out, &err);
    CHECK(fd >= 0);
    struct queue_writer *writer = queue_writer_new(fd, 1795336892000000);
    queue_writer_sender(writer, VIEW("s"));
    CHECK(queue_writer_commit(writer, false, &err) == OK);
    queue_writer_free(&writer);
}

static void test_actions(void **state)
{
    (void)state;
    static const char *const ALL[] = {"maildrop", "incoming", "active",
                                      "deferred", "hold",     NULL};
    char id[QUEUE_ID_MAX];
    make_message(id);
    test_write_file("bounce", id, "log");
    message_handle(&postsuper, 'H', id);
    assert_int_equal(postsuper.done[ACTION_RELEASE], 0);
    message_handle(&postsuper, 'h', id);
    assert_string_equal(queue_find(postsuper.dirs, ALL, id), "hold");
    message_handle(&postsuper, 'h', id);
    assert_int_equal(postsuper.done[ACTION_HOLD], 1);
    message_handle(&postsuper, 'e', id);
    message_handle(&postsuper, 'f', id);
    assert_int_equal(postsuper.done[ACTION_EXPIRE], 1);
    assert_string_equal(queue_find(postsuper.dirs, ALL, id), "deferred");
    message_handle(&postsuper, 'r', id);
    assert_string_equal(queue_find(postsuper.dirs, ALL, id), "maildrop");
    assert_int_equal(access("bounce", F_OK), 0);
    message_handle(&postsuper, 'd', "../../etc");
    message_handle(&postsuper, 'd', "NOTTHERE");
    message_handle(&postsuper, 'd', id);
    assert_null(queue_find(postsuper.dirs, ALL, id));
    assert_int_equal(postsuper.done[ACTION_DELETE], 1);
}

static void test_all(void **state)
{
    (void)state;
    static const char *const ALL[] = {"incoming", "deferred", "hold", NULL};
    char ids[5][QUEUE_ID_MAX];
    for (size_t i = 0; i < 5; i++) {
        make_message(ids[i]);
        test_write_file("bounce", ids[i], "log");
    }
    bool hold[ACTION_COUNT] = {[ACTION_HOLD] = true, [ACTION_EXPIRE] = true};
    bulk_handle(&postsuper, hold);
    assert_int_equal(postsuper.done[ACTION_HOLD], 5);
    assert_int_equal(postsuper.done[ACTION_EXPIRE], 5);
    bool delete[ACTION_COUNT] = {[ACTION_DELETE] = true, [ACTION_REQUEUE] = true};
    bulk_handle(&postsuper, delete);
    assert_int_equal(postsuper.done[ACTION_DELETE], 5);
    assert_int_equal(postsuper.done[ACTION_REQUEUE], 0);
    for (size_t i = 0; i < 5; i++) {
        assert_null(queue_find(postsuper.dirs, ALL, ids[i]));
    }
    assert_int_equal(rmdir("bounce"), 0); /* empty */
}

/* --- whole directories ------------------------------------------------------------ */

static const char *const MESSAGE_QUEUES[] = {"maildrop", "incoming", "active",
                                             "deferred", "hold",     NULL};

enum { MANY = 100 };

/* Deferred messages with logs. */
static void make_deferred(char ids[MANY][QUEUE_ID_MAX])
{
    for (size_t i = 0; i < MANY; i++) {
        make_message(ids[i]);
        CHECK(queue_move(postsuper.dirs, "incoming", "deferred", ids[i]));
        CHECK(queue_make_parents(postsuper.dirs, "defer", ids[i]));
        int fd = queue_open(postsuper.dirs, "defer", ids[i], O_WRONLY | O_CREAT);
        CHECK(fd >= 0 && close(fd) == 0);
    }
}

static size_t count_entries(const char *queue)
{
    struct queue_scan *scan = queue_scan_open(postsuper.dirs, queue);
    struct queue_entry entry;
    size_t count = 0;
    while (queue_scan_next_entry(scan, &entry)) {
        count++;
    }
    queue_scan_close(&scan);
    return count;
}

/* Names of deleted directories in QUEUE. */
static size_t count_deleted(const char *queue)
{
    DIR *dir = opendir(queue);
    const struct dirent *entry;
    size_t count = 0;
    while ((entry = readdir(dir)) != NULL) {
        count += strncmp(entry->d_name, ".deleted.", 9) == 0;
    }
    (void)closedir(dir);
    return count;
}

/* What takes long is removed by another process. */
static void wait_for_removal(void)
{
    enum { PAUSE = 10000, PAUSES = 1000 };
    for (int i = 0;
         i < PAUSES && count_deleted("deferred") + count_deleted("defer") > 0; i++) {
        (void)usleep(PAUSE);
    }
    assert_int_equal(count_deleted("deferred") + count_deleted("defer"), 0);
}

static void test_delete_directories(void **state)
{
    (void)state;
    static const bool delete[ACTION_COUNT] = {[ACTION_DELETE] = true};
    char ids[MANY][QUEUE_ID_MAX];
    for (int verbose = 0; verbose < 2; verbose++) {
        make_deferred(ids);
        CHECK(mkdir("deferred/z", 0700) == 0);
        test_write_file("deferred/z", "no message", "x");
        test_write_file("defer", "anything at all", "x");
        postsuper.done[ACTION_DELETE] = 0;
        log_set_verbose(verbose);
        bulk_handle(&postsuper, delete);
        log_set_verbose(0);
        assert_int_equal(postsuper.done[ACTION_DELETE], MANY);
        assert_int_equal(count_entries("deferred"), 1);
        assert_int_equal(access("deferred/z/no message", F_OK), 0);
        assert_int_equal(count_entries("defer"), 0);
        wait_for_removal();
        CHECK(unlink("deferred/z/no message") == 0 && rmdir("deferred/z") == 0);
    }
}

/* Of a queue alone: the logs of its messages go, no others. */
static void test_delete_one_queue(void **state)
{
    (void)state;
    static const bool delete[ACTION_COUNT] = {[ACTION_DELETE] = true};
    char ids[MANY][QUEUE_ID_MAX];
    make_deferred(ids);
    test_write_file("defer", "ABCDE1", "of a message elsewhere");
    memset(postsuper.queues, 0, sizeof(postsuper.queues));
    postsuper.queues[0] = "deferred";
    bulk_handle(&postsuper, delete);
    assert_int_equal(postsuper.done[ACTION_DELETE], MANY);
    assert_int_equal(count_entries("deferred"), 0);
    assert_int_equal(count_entries("defer"), 1);
}

static void test_hashed_twice(void **state)
{
    (void)state;
    static const bool delete[ACTION_COUNT] = {[ACTION_DELETE] = true};
    char ids[MANY][QUEUE_ID_MAX];
    struct err err;
    struct conf *conf = conf_open_text("/nonexistent", "hash_queue_depth = 2\n", &err);
    CHECK(conf != NULL);
    queue_dirs_free(&postsuper.dirs);
    postsuper.dirs = queue_dirs_new(conf);
    conf_free(&conf);
    make_deferred(ids);
    bulk_handle(&postsuper, delete);
    assert_int_equal(postsuper.done[ACTION_DELETE], MANY);
    assert_int_equal(count_entries("deferred") + count_entries("defer"), 0);
    wait_for_removal();
}

/* What a crash left of a deletion is removed by the next start, which does not wait. */
static void test_deleted_before_a_crash(void **state)
{
    (void)state;
    CHECK(mkdir("deferred/.deleted.1.0", 0700) == 0 &&
          mkdir("deferred/.deleted.1.0/A", 0700) == 0);
    test_write_file("deferred/.deleted.1.0/A", "ABCDE1", "x");
    test_write_file("deferred/.deleted.1.0", "ABCDE2", "x");
    assert_int_equal(count_entries("deferred"), 0);
    structure_check(&postsuper, &(struct structure_options){.names = true});
    assert_int_equal(count_deleted("deferred"), 1);
    structure_check(&postsuper, &(struct structure_options){.purge = true});
    wait_for_removal();
}

static void check_requeued(char ids[MANY][QUEUE_ID_MAX])
{
    STR_AUTO struct str path = {0};
    for (size_t i = 0; i < MANY; i++) {
        assert_string_equal(queue_find(postsuper.dirs, MESSAGE_QUEUES, ids[i]),
                            "maildrop");
        int fd = queue_open_where(postsuper.dirs, "maildrop", ids[i], O_RDONLY, &path);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(access(str_ptr(&path), F_OK), 0);
    }
}

static void test_requeue_directories(void **state)
{
    (void)state;
    static const bool requeue[ACTION_COUNT] = {[ACTION_REQUEUE] = true};
    char ids[MANY][QUEUE_ID_MAX], more[MANY][QUEUE_ID_MAX];
    make_deferred(ids);
    bulk_handle(&postsuper, requeue);
    assert_int_equal(postsuper.done[ACTION_REQUEUE], MANY);
    assert_int_equal(count_entries("deferred"), 0);
    check_requeued(ids);
    /* A start leaves them where they are. */
    structure_check(&postsuper, &(struct structure_options){.names = true});
    assert_int_equal(postsuper.renamed, 0);
    check_requeued(ids);
    /* Another time, before pickup was there. */
    make_deferred(more);
    bulk_handle(&postsuper, requeue);
    assert_int_equal(postsuper.done[ACTION_REQUEUE], 2 * MANY);
    check_requeued(ids);
    check_requeued(more);
    /* One by one. */
    message_handle(&postsuper, 'h', ids[0]); /* not from there */
    assert_int_equal(postsuper.done[ACTION_HOLD], 0);
    message_handle(&postsuper, 'd', ids[0]);
    assert_int_equal(postsuper.done[ACTION_DELETE], 1);
    assert_null(queue_find(postsuper.dirs, MESSAGE_QUEUES, ids[0]));
    assert_int_equal(count_entries("defer"), 2 * MANY - 1);
}

static void test_requeue_leaves_others(void **state)
{
    (void)state;
    static const bool requeue[ACTION_COUNT] = {[ACTION_REQUEUE] = true};
    char ids[MANY][QUEUE_ID_MAX];
    make_deferred(ids);
    char hash[3] = {ids[0][0], '\0'};
    STR_AUTO struct str shared = {0};
    str_printf(&shared, "deferred/%s", hash);
    test_write_file(str_ptr(&shared), "no message", "x");
    bulk_handle(&postsuper, requeue);
    assert_int_equal(postsuper.done[ACTION_REQUEUE], MANY);
    check_requeued(ids);
    assert_int_equal(count_entries("deferred"), 1);
}

/* A requeued file whose name is wrong gets the right one in its directory. */
static void test_requeued_and_copied(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX], path[64];
    CHECK(mkdir("maildrop/A", 0700) == 0);
    test_write_file("maildrop/A", "ABCDE1", "x");
    queue_id_with_inode("ABCDE1", inode_of("maildrop/A/ABCDE1"), id);
    structure_check(&postsuper, &(struct structure_options){.names = true});
    (void)snprintf(path, sizeof(path), "maildrop/A/%s", id);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(postsuper.renamed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wrong_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_swapped_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_purge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_actions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delete_directories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delete_one_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hashed_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deleted_before_a_crash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requeue_directories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requeue_leaves_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requeued_and_copied, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
