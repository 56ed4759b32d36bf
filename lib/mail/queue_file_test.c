/* SPDX-License-Identifier: MIT */
/* The queue file: what is written is read again, and no damage is believed. */
#include "testing/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "mail/queue_file.h"
#include "sys/file.h"

#define ARRIVAL ((int64_t)1795336892123456)

static int new_file(void)
{
    int fd = memfd_create("queue", MFD_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

/* A message with every kind of record; returns a descriptor of its own on the file. */
static int write_sample(struct view content, unsigned pieces)
{
    int fd = new_file();
    int copy = dup(fd);
    struct queue_writer *writer = queue_writer_new(fd, ARRIVAL);
    queue_writer_set_flags(writer, QUEUE_FILE_8BITMIME);
    queue_writer_set_flags(writer, QUEUE_FILE_SMTPUTF8);
    queue_writer_attribute(writer, "client_name", VIEW("localhost"));
    queue_writer_attribute(writer, "empty", VIEW(""));
    queue_writer_fullname(writer, VIEW("Ken Example"));
    queue_writer_sender(writer, VIEW("ken@example.org"));
    queue_writer_recipient(writer,
                           &(struct queue_recipient){.address = VIEW("a@example.com"),
                                                     .original = VIEW("a"),
                                                     .dsn_orcpt = VIEW("rfc822;a"),
                                                     .dsn_notify = DSN_NOTIFY_FAILURE});
    queue_writer_recipient(writer, &(struct queue_recipient){.address = VIEW("b@c")});
    for (unsigned i = 0; i < pieces; i++) {
        queue_writer_content(writer, content);
    }
    queue_writer_recipient(
        writer, &(struct queue_recipient){.address = VIEW("late@example.com")});
    assert_int_equal(queue_writer_recipients(writer), 3);
    assert_int_equal(queue_writer_content_size(writer), content.len * pieces);
    int64_t size = queue_writer_size(writer);
    struct err err;
    assert_int_equal(queue_writer_commit(writer, true, &err), OK);
    queue_writer_free(&writer);
    assert_null(writer);
    struct stat st;
    assert_int_equal(fstat(copy, &st), 0);
    assert_int_equal(st.st_size, size);
    return copy;
}

static void check_sample(int fd, struct view content, unsigned pieces)
{
    struct arena arena = {0};
    struct queue_message message;
    struct err err = {0};
    assert_int_equal(queue_file_read(fd, &arena, &message, &err), OK);
    assert_int_equal(message.flags, QUEUE_FILE_8BITMIME | QUEUE_FILE_SMTPUTF8);
    assert_int_equal(message.arrival_time, ARRIVAL);
    assert_true(message.create_time > 0);
    assert_view_equal(message.sender, "ken@example.org");
    assert_view_equal(message.fullname, "Ken Example");
    assert_view_equal(queue_message_attribute(&message, "client_name"), "localhost");
    assert_view_equal(queue_message_attribute(&message, "nothing"), "");
    assert_int_equal(message.record_count, 7);
    assert_int_equal(message.recipient_count, 3);
    assert_int_equal(message.recipients_pending, 3);
    assert_int_equal(message.content_size, content.len * pieces);
    const struct queue_record *a = &message.records[4], *late = &message.records[6];
    assert_view_equal(a->recipient.address, "a@example.com");
    assert_view_equal(a->recipient.original, "a");
    assert_view_equal(a->recipient.dsn_orcpt, "rfc822;a");
    assert_int_equal(a->recipient.dsn_notify, DSN_NOTIFY_FAILURE);
    assert_false(a->after_content);
    assert_view_equal(late->recipient.address, "late@example.com");
    assert_true(late->after_content);
    assert_int_equal(queue_file_verify_content(fd, &message, &err), OK);
    arena_clear(&arena);
}

static void test_small_and_large(void **state)
{
    (void)state;
    char *block = xmalloc(100000);
    memset(block, 'x', 100000);
    static const struct {
        size_t len;
        unsigned pieces;
    } CASES[] = {{0, 1}, {11, 1}, {1, 3000}, {100000, 1}, {100000, 7}, {100000, 2}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct view content = view_of(block, CASES[i].len);
        int fd = write_sample(content, CASES[i].pieces);
        check_sample(fd, content, CASES[i].pieces);
        close(fd);
    }
    free(block);
    struct view large = {.ptr = xcalloc(1, 1000000), .len = 1000000};
    int fd = write_sample(large, 2);
    check_sample(fd, large, 2);
    close(fd);
    free((char *)(uintptr_t)large.ptr);
}

static void test_marks(void **state)
{
    (void)state;
    int fd = write_sample(VIEW("Subject: x\n\nbody\n"), 1);
    struct arena arena = {0};
    struct queue_message message;
    assert_int_equal(queue_file_read(fd, &arena, &message, NULL), OK);
    assert_true(queue_file_mark_done(fd, message.records[4].recipient.state_offset));
    assert_true(queue_file_mark_done(fd, message.records[6].recipient.state_offset));
    assert_true(queue_file_set_state(fd, QUEUE_STATE_FORCE_EXPIRE));
    assert_int_equal(queue_file_read(fd, &arena, &message, NULL), OK);
    assert_int_equal(message.recipients_pending, 1);
    assert_int_equal(message.records[4].recipient.state, RECIPIENT_DONE);
    assert_int_equal(message.records[5].recipient.state, RECIPIENT_PENDING);
    assert_int_equal(message.records[6].recipient.state, RECIPIENT_DONE);
    assert_int_equal(message.state, QUEUE_STATE_FORCE_EXPIRE);
    arena_clear(&arena);
    close(fd);
}

/* Reads bytes as a file, content sum included. */
static enum outcome read_bytes(const char *bytes, size_t len, struct err *err)
{
    int fd = new_file();
    assert_true(len == 0 || file_pwrite_all(fd, bytes, len, 0));
    struct arena arena = {0};
    struct queue_message message;
    enum outcome outcome = queue_file_read(fd, &arena, &message, err);
    if (outcome == OK) {
        outcome = queue_file_verify_content(fd, &message, err);
    }
    arena_clear(&arena);
    close(fd);
    return outcome;
}

static size_t slurp(int fd, char **bytes_out)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    *bytes_out = xmalloc((size_t)st.st_size + 1);
    assert_int_equal(file_pread_all(fd, *bytes_out, (size_t)st.st_size, 0), st.st_size);
    return (size_t)st.st_size;
}

static void test_truncated_everywhere(void **state)
{
    (void)state;
    int fd = write_sample(VIEW("Subject: x\n\nbody\n"), 1);
    char *bytes;
    size_t len = slurp(fd, &bytes);
    struct err err = {0};
    assert_int_equal(read_bytes(bytes, len, &err), OK);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(read_bytes(bytes, cut, &err), PERMFAIL);
    }
    bytes[len] = 'x';
    assert_int_equal(read_bytes(bytes, len + 1, &err), PERMFAIL);
    free(bytes);
    close(fd);
}

static void test_every_flipped_bit(void **state)
{
    (void)state;
    int fd = write_sample(VIEW("Subject: x\n\nbody\n"), 1);
    char *bytes;
    size_t len = slurp(fd, &bytes);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
        assert_int_equal(read_bytes(bytes, len, NULL), PERMFAIL);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
    free(bytes);
    close(fd);
}

static void test_other_files(void **state)
{
    (void)state;
    struct err err;
    struct arena arena = {0};
    struct queue_message message;
    char text[4096];
    memset(text, 'A', sizeof(text));
    assert_int_equal(read_bytes(text, sizeof(text), &err), PERMFAIL);
    assert_string_equal(err.text, "damaged queue file: not a queue file");
    int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(queue_file_read(directory, &arena, &message, &err), PERMFAIL);
    close(directory);
    arena_clear(&arena);
}

static enum outcome read_path(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct arena arena = {0};
    struct queue_message message;
    enum outcome outcome = queue_file_read(fd, &arena, &message, err);
    arena_clear(&arena);
    close(fd);
    return outcome;
}

/* A file that is being written is told from what a dead writer left. */
static void test_uncommitted(void **state)
{
    (void)state;
    char *dir = test_make_dir();
    char *path = xasprintf("%s/file", dir);
    char *block = xcalloc(1, 300000);
    for (size_t pieces = 0; pieces < 4; pieces++) {
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        struct queue_writer *writer = queue_writer_new(fd, ARRIVAL);
        queue_writer_sender(writer, VIEW(""));
        for (size_t i = 0; i < pieces; i++) {
            queue_writer_content(writer, view_of(block, 100000));
        }
        struct err err;
        assert_int_equal(read_path(path, &err), TEMPFAIL);
        assert_int_equal(err.code, EAGAIN);
        queue_writer_free(&writer);
        assert_int_equal(read_path(path, &err), PERMFAIL);
    }
    free(path);
    test_remove_dir(dir);
    free(block);
}

/* Without the file only what was read of its start can be understood. */
static void test_parse_without_file(void **state)
{
    (void)state;
    static const struct {
        size_t content, recipients;
        bool enough;
    } CASES[] = {{0, 1, true},
                 {QUEUE_FILE_START_BYTES / 2, 1, true},
                 {QUEUE_FILE_START_BYTES, 1, true},
                 {10 * QUEUE_FILE_START_BYTES, 1, true},
                 {10 * QUEUE_FILE_START_BYTES, 2 * QUEUE_FILE_TAIL_BYTES, false}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        char *content = xmalloc(CASES[i].content + 1);
        memset(content, 'x', CASES[i].content);
        int fd = new_file(), copy = dup(fd);
        struct queue_writer *writer = queue_writer_new(fd, ARRIVAL);
        queue_writer_sender(writer, VIEW("x"));
        queue_writer_content(writer, view_of(content, CASES[i].content));
        for (size_t j = 0; j < CASES[i].recipients; j++) {
            queue_writer_recipient(
                writer, &(struct queue_recipient){.address = VIEW("late@x")});
        }
        assert_int_equal(queue_writer_commit(writer, false, NULL), OK);
        queue_writer_free(&writer);
        struct queue_file_start start;
        struct arena arena = {0};
        struct queue_message message;
        struct err err = {0};
        queue_file_read_start(copy, &start);
        assert_int_equal(queue_file_parse(-1, &start, &arena, &message, &err),
                         CASES[i].enough ? OK : TEMPFAIL);
        assert_int_equal(err.code, CASES[i].enough ? 0 : ENODATA);
        assert_int_equal(queue_file_parse(copy, &start, &arena, &message, &err), OK);
        assert_int_equal(message.recipient_count, CASES[i].recipients);
        arena_clear(&arena);
        close(copy);
        free(content);
    }
}

static void test_write_error_is_kept(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    struct queue_writer *writer = queue_writer_new(fd, ARRIVAL);
    queue_writer_sender(writer, VIEW("x"));
    char *block = xcalloc(1, 300000);
    queue_writer_content(writer, view_of(block, 300000));
    free(block);
    struct err err;
    assert_int_equal(queue_writer_commit(writer, false, &err), TEMPFAIL);
    assert_int_equal(err.code, ENOSPC);
    assert_string_equal(err.text, "write queue file: No space left on device");
    queue_writer_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_and_large),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_truncated_everywhere),
        cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_uncommitted),
        cmocka_unit_test(test_parse_without_file),
        cmocka_unit_test(test_write_error_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
