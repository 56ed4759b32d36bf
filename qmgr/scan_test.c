/* SPDX-License-Identifier: MIT */
/* Deferred mail comes back when its time has come, once, and in nobody's way. */
#include "qmgr/test_world.h"

#define SETTINGS "minimal_backoff_time = 1000s\nrewrite_service_name = rewrite\n"

enum { MANY = 300 }; /* more than one batch */

/* Deferred messages for NAME<i>@x.test; every DUE-th is due, 0: none. */
static void defer_many(struct world *world, const char *name, int due)
{
    STR_AUTO struct str path = {0};
    char address[64], id[QUEUE_ID_MAX];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(address, sizeof(address), "%s%d@x.test", name, i);
        write_message(world, QUEUE_DEFERRED, "", address, 0, 0, id);
        bool is_due = due > 0 && i % due == 0;
        time_t when = clock_wall() / CLOCK_SECOND + (is_due ? 0 : 1000);
        struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
        queue_path(world->qmgr->dirs, QUEUE_DEFERRED, id, &path);
        assert_int_equal(utimensat(AT_FDCWD, str_ptr(&path), times, 0), 0);
    }
}

static size_t requests_of(const struct world *world, const char *name)
{
    size_t count = 0;
    const char *at = str_ptr(&world->requests);
    while ((at = strstr(at, name)) != NULL) {
        count++;
        at++;
    }
    return count;
}

static size_t left_in(const struct world *world, const char *queue)
{
    struct queue_scan *scan = queue_scan_open(world->qmgr->dirs, queue);
    char id[QUEUE_ID_MAX];
    size_t count = 0;
    while (queue_scan_next(scan, id)) {
        count++;
    }
    queue_scan_close(&scan);
    return count;
}

/* Nothing is in memory, and no scan is asked for or under way. */
static bool all_done(struct world *world, const char *id)
{
    const struct qmgr *qmgr = world->qmgr;
    return all_quiet(world, id) && !qmgr->scanning && !qmgr->scan_active &&
           !qmgr->scan_incoming && !qmgr->scan_deferred && !qmgr->flush_all;
}

static void test_what_is_due(void **state)
{
    (void)state;
    enum { EVERY = 7, DUE = (MANY + EVERY - 1) / EVERY };
    struct world *world = world_new(SETTINGS);
    defer_many(world, "user", EVERY);
    world_start(world);
    run_until(world, all_done, NULL);
    assert_int_equal(requests_of(world, "user"), DUE);
    assert_int_equal(left_in(world, QUEUE_DEFERRED), MANY - DUE);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_WAKEUP, VIEW("")));
    run_until(world, all_done, NULL);
    assert_int_equal(requests_of(world, "user"), DUE);
    world_free(world);
}

/* With little room the pass through the queue stops and goes on many times; what was
 * deferred again meanwhile is not tried again by the same flush. */
static void test_flush_tries_each_once(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "qmgr_message_active_limit = 10\n");
    defer_many(world, "defer", 0);
    world_start(world);
    run_until(world, all_done, NULL);
    assert_int_equal(requests_of(world, "defer"), 0);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH, VIEW("")));
    run_until(world, all_done, NULL);
    assert_int_equal(requests_of(world, "defer"), MANY);
    assert_int_equal(left_in(world, QUEUE_DEFERRED), MANY);
    world_free(world);
}

static bool some_tried(struct world *world, const char *id)
{
    (void)id;
    return world->requests.len > 0;
}

/* qmgr_message_active_limit of the test below. */
enum { ACTIVE_LIMIT = 10 };

/* A flush while one is under way begins at the beginning. */
static void test_flush_again(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "qmgr_message_active_limit = 10\n");
    defer_many(world, "defer", 0);
    world_start(world);
    run_until(world, all_done, NULL);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH, VIEW("")));
    run_until(world, some_tried, NULL);
    assert_true(requests_of(world, "defer") < MANY);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH, VIEW("")));
    run_until(world, all_done, NULL);
    /* But for those that were in progress when it came. */
    assert_in_range(requests_of(world, "defer"), 2 * MANY - ACTIVE_LIMIT,
                    2 * MANY + ACTIVE_LIMIT);
    world_free(world);
}

static bool new_is_delivered(struct world *world, const char *id)
{
    return is_gone(world, id);
}

/* While all the deferred mail is flushed new mail finds room, and does not wait behind
 * it. */
static void test_new_mail_overtakes(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "qmgr_message_active_limit = 20\n");
    char id[QUEUE_ID_MAX];
    world->work_time = 20 * CLOCK_MILLISECOND;
    defer_many(world, "defer", 0);
    world_start(world);
    run_until(world, all_done, NULL);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH, VIEW("")));
    run_until(world, some_tried, NULL);
    submit(world, "", "new@y.test", id);
    run_until(world, new_is_delivered, id);
    assert_true(requests_of(world, "defer") < MANY / 2);
    run_until(world, all_done, NULL);
    assert_int_equal(requests_of(world, "defer"), MANY);
    assert_int_equal(requests_of(world, "new"), 1);
    world_free(world);
}

/* Messages that vanish while they are looked at, and one that came back damaged. */
static void test_vanishing(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    defer_many(world, "user", 1);
    char id[QUEUE_ID_MAX];
    struct queue_scan *scan = queue_scan_open(world->qmgr->dirs, QUEUE_DEFERRED);
    assert_true(queue_scan_next(scan, id));
    FD_AUTO int fd = queue_open(world->qmgr->dirs, QUEUE_DEFERRED, id, O_RDWR);
    assert_true(file_pwrite_all(fd, "X", 1, 130));
    world_start(world);
    for (int i = 0; queue_scan_next(scan, id); i++) {
        if (i % 2 == 0) {
            assert_true(queue_remove(world->qmgr->dirs, QUEUE_DEFERRED, id));
        }
    }
    queue_scan_close(&scan);
    run_until(world, all_done, NULL);
    assert_int_equal(left_in(world, QUEUE_DEFERRED), 0);
    assert_int_equal(left_in(world, QUEUE_CORRUPT), 1);
    assert_int_equal(requests_of(world, "user"), MANY / 2 - 1);
    world_free(world);
}

int main(void)
{
    log_set_stderr(false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_due),
        cmocka_unit_test(test_flush_tries_each_once),
        cmocka_unit_test(test_flush_again),
        cmocka_unit_test(test_new_mail_overtakes),
        cmocka_unit_test(test_vanishing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
