/* SPDX-License-Identifier: MIT */
/* Delivery logs, torn ones too, and the listing that is made with them. */
#include "testing/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "mail/delivery_log.h"
#include "mail/queue_file.h"
#include "mail/queue_list.h"
#include "sys/file.h"

#define ID "6F5E0123"

static char *directory;
static struct queue_dirs *dirs;

static int set_up(void **state)
{
    (void)state;
    static const char *const QUEUES[] = {"maildrop", "incoming", "active", "deferred",
                                         "hold",     "defer",    "bounce"};
    struct err err;
    struct conf *conf = conf_open_text("/nonexistent", "", &err);
    CHECK(conf != NULL);
    dirs = queue_dirs_new(conf);
    conf_free(&conf);
    directory = test_make_dir();
    CHECK(chdir(directory) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(QUEUES); i++) {
        CHECK(mkdir(QUEUES[i], 0700) == 0);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    CHECK(chdir("/") == 0);
    test_remove_dir(directory);
    queue_dirs_free(&dirs);
    return 0;
}

static const struct delivery_record A = {.recipient = {"a@x", 3},
                                         .original = {"A", 1},
                                         .dsn_orcpt = {"rfc822;A", 8},
                                         .dsn_notify = 4,
                                         .state_offset = 200,
                                         .dsn = {"4.0.1", 5},
                                         .action = {"delayed", 7},
                                         .reason = {"reason a", 8},
                                         .mta = {"mx.x", 4},
                                         .diagnostic_type = {"smtp", 4},
                                         .diagnostic = {"450 no", 6}};
static const struct delivery_record B = {
    .recipient = {"b@x", 3}, .state_offset = 300, .reason = {"reason b", 8}};

static void check_read(size_t expected, struct arena *arena,
                       struct delivery_record **records)
{
    size_t count;
    struct err err;
    assert_int_equal(
        delivery_log_read(dirs, QUEUE_DEFER_LOG, ID, arena, records, &count, &err), OK);
    assert_int_equal(count, expected);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct err err;
    struct arena arena = {0};
    struct delivery_record *records;
    struct delivery_record both[] = {A, B}, again = A;
    again.reason = VIEW("later");
    check_read(0, &arena, &records);
    assert_int_equal(delivery_log_append(dirs, QUEUE_DEFER_LOG, ID, both, 2, &err), OK);
    assert_int_equal(delivery_log_append(dirs, QUEUE_DEFER_LOG, ID, &again, 1, &err),
                     OK);
    check_read(2, &arena, &records);
    assert_view_equal(records[0].recipient, "a@x");
    assert_view_equal(records[0].original, "A");
    assert_view_equal(records[0].dsn_orcpt, "rfc822;A");
    assert_int_equal(records[0].dsn_notify, 4);
    assert_int_equal(records[0].state_offset, 200);
    assert_view_equal(records[0].dsn, "4.0.1");
    assert_view_equal(records[0].action, "delayed");
    assert_view_equal(records[0].reason, "later");
    assert_view_equal(records[0].mta, "mx.x");
    assert_view_equal(records[0].diagnostic_type, "smtp");
    assert_view_equal(records[0].diagnostic, "450 no");
    assert_view_equal(records[1].reason, "reason b");
    assert_true(delivery_log_remove(dirs, QUEUE_DEFER_LOG, ID));
    assert_true(delivery_log_remove(dirs, QUEUE_DEFER_LOG, ID)); /* nothing there */
    check_read(0, &arena, &records);
    arena_clear(&arena);
}

/* A crash at any byte of the first record costs that record at most. */
static void test_torn_records(void **state)
{
    (void)state;
    struct err err;
    struct arena arena = {0};
    struct delivery_record *records;
    STR_AUTO struct str path = {0};
    STR_AUTO struct str whole = {0};
    queue_path(dirs, QUEUE_DEFER_LOG, ID, &path);
    assert_int_equal(delivery_log_append(dirs, QUEUE_DEFER_LOG, ID, &A, 1, &err), OK);
    assert_int_equal(file_read(str_ptr(&path), 100000, &whole, &err), OK);
    for (size_t cut = 0; cut < whole.len; cut++) {
        assert_int_equal(truncate(str_ptr(&path), (off_t)cut), 0);
        check_read(0, &arena, &records);
        assert_int_equal(delivery_log_append(dirs, QUEUE_DEFER_LOG, ID, &B, 1, &err),
                         OK);
        check_read(1, &arena, &records);
        assert_view_equal(records[0].recipient, "b@x");
        int fd = open(str_ptr(&path), O_WRONLY | O_TRUNC | O_CLOEXEC);
        assert_true(file_write_all(fd, str_ptr(&whole), whole.len));
        close(fd);
    }
    check_read(1, &arena, &records);
    arena_clear(&arena);
}

static void write_message(const char *queue, const char *id)
{
    STR_AUTO struct str path = {0};
    queue_path(dirs, queue, id, &path);
    CHECK(queue_make_parents(dirs, queue, id));
    int fd = open(str_ptr(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct queue_writer *writer = queue_writer_new(fd, 1795336892000000);
    queue_writer_sender(writer, VIEW("s p@x"));
    queue_writer_recipient(writer, &(struct queue_recipient){.address = VIEW("one@x")});
    queue_writer_recipient(writer, &(struct queue_recipient){.address = VIEW("two@x")});
    queue_writer_recipient(writer,
                           &(struct queue_recipient){.address = VIEW("three@x")});
    queue_writer_content(writer, VIEW("Subject: x\n\n"));
    struct err err;
    CHECK(queue_writer_commit(writer, false, &err) == OK);
    queue_writer_free(&writer);
}

static void test_listing(void **state)
{
    (void)state;
    struct err err;
    struct arena arena = {0};
    write_message(QUEUE_HOLD, "AAAAA1");
    write_message(QUEUE_DEFERRED, ID);
    test_write_file("incoming", "AAAAA2", ""); /* being written */
    test_write_file("incoming", "AAAAA3", "damaged");
    int fd = queue_open(dirs, QUEUE_DEFERRED, ID, O_RDWR);
    struct queue_message message;
    assert_int_equal(queue_file_read(fd, &arena, &message, &err), OK);
    assert_true(queue_file_mark_done(fd, message.records[1].recipient.state_offset));
    assert_true(queue_file_set_state(fd, QUEUE_STATE_FORCE_EXPIRE));
    close(fd);
    struct delivery_record records[] = {
        {.state_offset = message.records[3].recipient.state_offset,
         .reason = VIEW("why")},
        {.state_offset = message.records[1].recipient.state_offset,
         .reason = VIEW("done since")}};
    assert_int_equal(delivery_log_append(dirs, QUEUE_DEFER_LOG, ID, records, 2, &err),
                     OK);

    struct queue_list *list = queue_list_open(dirs);
    struct queue_list_entry entry;
    assert_true(queue_list_next(list, &arena, &entry));
    assert_view_equal(entry.queue_name, "deferred");
    assert_view_equal(entry.queue_id, ID);
    assert_view_equal(entry.sender, "\"s p\"@x");
    assert_int_equal(entry.size, 12);
    assert_true(entry.forced_expire);
    assert_int_equal(entry.recipient_count, 2);
    assert_view_equal(entry.recipients[0].address, "three@x");
    assert_view_equal(entry.recipients[0].reason, "why");
    assert_view_equal(entry.recipients[1].address, "two@x");
    assert_view_equal(entry.recipients[1].reason, "");
    assert_true(queue_list_next(list, &arena, &entry));
    assert_view_equal(entry.queue_name, "hold");
    assert_int_equal(entry.recipient_count, 3);
    assert_view_equal(entry.recipients[0].address, "one@x");
    assert_false(queue_list_next(list, &arena, &entry));
    queue_list_close(&list);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torn_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_listing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
