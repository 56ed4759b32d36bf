/* SPDX-License-Identifier: MIT */
/*
 * Listings of many files, alone and in a fiber with readers ahead: all of them come,
 * in one order, and what is damaged, gone or not finished is left out.
 */
#include "testing/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "mail/delivery_log.h"
#include "mail/queue_batch.h"
#include "mail/queue_list.h"
#include "sys/file.h"
#include "task/task.h"

enum { MANY = 5 * QUEUE_BATCH_FILES + 7, LARGE = QUEUE_FILE_START_BYTES };

static char *directory;
static struct queue_dirs *dirs;

static int set_up(void **state)
{
    (void)state;
    static const char *const QUEUES[] = {"maildrop", "incoming", "active",
                                         "deferred", "hold",     "defer"};
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
    task_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    task_done();
    CHECK(chdir("/") == 0);
    test_remove_dir(directory);
    queue_dirs_free(&dirs);
    return 0;
}

/* What make_message() is to make; zeroed: a small message with one recipient. */
struct kind {
    size_t recipients, content;
    bool late; /* one more recipient, behind the content */
};

static void make_message(const char *queue, const char *id, struct kind kind)
{
    char address[64];
    CHECK(queue_make_parents(dirs, queue, id));
    int fd = queue_open(dirs, queue, id, O_RDWR | O_CREAT);
    CHECK(fd >= 0);
    struct queue_writer *writer = queue_writer_new(fd, 1000000);
    queue_writer_sender(writer, VIEW("s@example.org"));
    for (size_t i = 0; i < (kind.recipients > 0 ? kind.recipients : 1); i++) {
        (void)snprintf(address, sizeof(address), "r%zu@example.com", i);
        queue_writer_recipient(
            writer, &(struct queue_recipient){.address = view_cstr(address)});
    }
    STR_AUTO struct str content = {0};
    while (content.len < kind.content) {
        str_add_cstr(&content, "line\n");
    }
    queue_writer_content(writer, str_view(&content));
    if (kind.late) {
        queue_writer_recipient(
            writer, &(struct queue_recipient){.address = VIEW("late@example.com")});
    }
    assert_int_equal(queue_writer_commit(writer, false, NULL), OK);
    queue_writer_free(&writer);
}

/* Log a reason for the recipients of QUEUE/ID from the last to the first. */
static void defer_all(const char *queue, const char *id, const char *reason)
{
    struct arena arena = {0};
    struct queue_message message;
    FD_AUTO int fd = queue_open(dirs, queue, id, O_RDONLY);
    assert_int_equal(queue_file_read(fd, &arena, &message, NULL), OK);
    for (size_t i = message.record_count; i-- > 0;) {
        const struct queue_recipient *recipient = &message.records[i].recipient;
        if (message.records[i].type == QUEUE_RECORD_RECIPIENT) {
            struct delivery_record record = {.recipient = recipient->address,
                                             .state_offset = recipient->state_offset,
                                             .reason = view_cstr(reason)};
            assert_int_equal(
                delivery_log_append(dirs, QUEUE_DEFER_LOG, id, &record, 1, NULL), OK);
        }
    }
    arena_clear(&arena);
}

static void damage(const char *queue, const char *id)
{
    FD_AUTO int fd = queue_open(dirs, queue, id, O_RDWR);
    CHECK(fd >= 0 && file_pwrite_all(fd, "X", 1, 130));
}

/* --- taking a listing ------------------------------------------------------------- */

struct listing {
    size_t limit; /* entries to take; 0: all */
    size_t count;
    void (*look)(const struct queue_list_entry *entry);
    struct str ids;
};

static void take_listing(void *context)
{
    struct listing *listing = context;
    struct queue_list *list = queue_list_open(dirs);
    struct arena arena = {0};
    struct queue_list_entry entry;
    while ((listing->limit == 0 || listing->count < listing->limit) &&
           queue_list_next(list, &arena, &entry)) {
        listing->count++;
        str_add(&listing->ids, entry.queue_id);
        str_add_byte(&listing->ids, '\n');
        if (listing->look != NULL) {
            listing->look(&entry);
        }
        arena_clear(&arena);
        if (listing->count % 100 == 0 && task_current() != NULL) {
            task_yield();
        }
    }
    arena_clear(&arena);
    queue_list_close(&list);
    assert_null(list);
}

static void take_in_fiber(struct listing *listing)
{
    (void)task_spawn("listing", take_listing, listing);
    task_run(true);
    assert_int_equal(task_fiber_count(), 0); /* the readers have gone, too */
}

/* Both ways, which must agree. */
static void take_both(struct listing *listing)
{
    struct listing alone = *listing;
    take_listing(&alone);
    take_in_fiber(listing);
    assert_string_equal(str_ptr(&alone.ids), str_ptr(&listing->ids));
    str_done(&alone.ids);
}

/* --- the tests -------------------------------------------------------------------- */

static void make_many(void)
{
    char id[QUEUE_ID_MAX];
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof(id), "%05X%X", i * 7919 % 1000000, i);
        make_message(i % 3 == 0 ? "hold" : "deferred", id, (struct kind){0});
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct listing listing = {0};
    take_both(&listing);
    assert_int_equal(listing.count, 0);
    str_done(&listing.ids);
}

static void test_many(void **state)
{
    (void)state;
    make_many();
    struct listing listing = {0};
    take_both(&listing);
    assert_int_equal(listing.count, MANY);
    str_done(&listing.ids);
}

static void test_reader_leaves_early(void **state)
{
    (void)state;
    make_many();
    for (size_t limit = 1; limit <= MANY; limit += QUEUE_BATCH_FILES - 1) {
        struct listing listing = {.limit = limit};
        take_both(&listing);
        assert_int_equal(listing.count, limit);
        str_done(&listing.ids);
    }
}

static void test_bad_files_are_left_out(void **state)
{
    (void)state;
    make_message("deferred", "AAAAA1", (struct kind){0});
    damage("deferred", "AAAAA1");
    make_message("deferred", "AAAAA2", (struct kind){.content = 3 * LARGE});
    assert_int_equal(truncate("deferred/A/AAAAA2", LARGE + 10), 0);
    make_message("deferred", "AAAAA3", (struct kind){0});
    test_write_file("deferred/A", "AAAAA4", "");          /* just begun */
    test_write_file("deferred/A", "AAAAA5", "something"); /* none of ours */
    CHECK(mkdir("deferred/A/AAAAA6", 0700) == 0);
    CHECK(symlink("AAAAA3", "deferred/A/AAAAA7") == 0);
    struct listing listing = {0};
    take_both(&listing);
    assert_string_equal(str_ptr(&listing.ids), "AAAAA3\n");
    str_done(&listing.ids);
}

static void look_at_shapes(const struct queue_list_entry *entry)
{
    size_t count = view_equal_cstr(entry->queue_id, "AAAAA1")   ? 2
                   : view_equal_cstr(entry->queue_id, "AAAAA2") ? 1001
                                                                : 301;
    assert_int_equal(entry->recipient_count, count);
    assert_view_equal(entry->sender, "s@example.org");
    /* In the order of the log, which is from the last to the first. */
    assert_view_equal(entry->recipients[0].address, "late@example.com");
    assert_view_equal(entry->recipients[count - 1].address, "r0@example.com");
    for (size_t i = 0; i < count; i++) {
        assert_view_equal(entry->recipients[i].reason, "later");
    }
}

/* Records beyond what a batch holds, before and behind the content, and long logs. */
static void test_shapes(void **state)
{
    (void)state;
    make_message("deferred", "AAAAA1",
                 (struct kind){.content = 9 * LARGE, .late = true});
    make_message("deferred", "AAAAA2", (struct kind){.recipients = 1000, .late = true});
    make_message("deferred", "AAAAA3",
                 (struct kind){.recipients = 300, .content = 9 * LARGE, .late = true});
    for (int i = 1; i <= 3; i++) {
        char id[QUEUE_ID_MAX];
        (void)snprintf(id, sizeof(id), "AAAAA%d", i);
        defer_all("deferred", id, "earlier");
        defer_all("deferred", id, "later");
    }
    struct listing listing = {.look = look_at_shapes};
    take_both(&listing);
    assert_int_equal(listing.count, 3);
    str_done(&listing.ids);
}

/* Files that vanish between the walk and the reading. */
static void test_vanished(void **state)
{
    (void)state;
    make_many();
    struct queue_batch *batch = malloc(sizeof(*batch));
    struct queue_scan *scan = queue_scan_open(dirs, QUEUE_DEFERRED);
    CHECK(batch != NULL && queue_batch_fill(batch, scan, dirs, QUEUE_DEFERRED));
    assert_int_equal(batch->count, QUEUE_BATCH_FILES);
    for (size_t i = 0; i < batch->count; i += 2) {
        assert_int_equal(unlink(batch->files[i].path), 0);
    }
    queue_batch_read(batch);
    for (size_t i = 0; i < batch->count; i++) {
        assert_int_equal(batch->files[i].found, i % 2);
    }
    queue_scan_close(&scan);
    free(batch);
}

static void cancel(void *fiber)
{
    task_cancel(fiber);
}

/* A client that is sent away in the middle. */
static void test_cancelled(void **state)
{
    (void)state;
    make_many();
    struct listing listing = {0};
    struct fiber *fiber = task_spawn("listing", take_listing, &listing);
    (void)task_spawn("cancel", cancel, fiber);
    task_run(true);
    assert_true(listing.count < MANY);
    assert_int_equal(task_fiber_count(), 0);
    str_done(&listing.ids);
}

int main(void)
{
#define IN_SPOOL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_SPOOL(test_empty),
        IN_SPOOL(test_many),
        IN_SPOOL(test_reader_leaves_early),
        IN_SPOOL(test_bad_files_are_left_out),
        IN_SPOOL(test_shapes),
        IN_SPOOL(test_vanished),
        IN_SPOOL(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
