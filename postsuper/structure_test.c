/* SPDX-License-Identifier: MIT */
/* Repairing names and places, and acting on messages, in a private spool. */
#include "testing/test.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wrong_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_swapped_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_purge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_actions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
