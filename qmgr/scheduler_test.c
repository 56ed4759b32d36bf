/* SPDX-License-Identifier: MIT */
/* Who is asked, in which order, how many at once, and who is spared. */
#include "qmgr/test_world.h"

#define SETTINGS "minimal_backoff_time = 100s\nrewrite_service_name = rewrite\n"

static size_t lines_in(const struct str *text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text->len; i++) {
        lines += text->ptr[i] == '\n';
    }
    return lines;
}

/* --- routing --------------------------------------------------------------------- */

/* By transport, next hop, domain (without case), address; one request per next hop. */
static void test_sorted_recipients(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "",
           "z@a--hop.test a@z--hop.test b@smtp--one B@smtp--one user@smtp--one "
           "user+x@smtp--one c@x.test",
           id);
    run_until(world, is_deferred, id); /* there are no transports "a" and "z" */
    assert_non_null(strstr(str_ptr(&world->requests),
                           "smtp one: B@smtp--one b@smtp--one user+x@smtp--one "
                           "user@smtp--one\n"));
    assert_non_null(strstr(str_ptr(&world->requests), "smtp x.test: c@x.test\n"));
    assert_int_equal(lines_in(&world->requests), 4); /* two by the retry service */
    world_free(world);
}

static void test_recipient_limit(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "smtp_destination_recipient_limit = 2\n"
                                             "initial_destination_concurrency = 1\n");
    char id[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "", "e@x.test d@x.test c@x.test b@x.test a@x.test", id);
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->requests), "smtp x.test: a@x.test b@x.test\n"
                                                   "smtp x.test: c@x.test d@x.test\n"
                                                   "smtp x.test: e@x.test\n");
    world_free(world);
}

/* With one recipient per delivery the recipient is the destination: a user whose
 * delivery hangs does not hold up the others, but has no more at once than allowed. */
static void test_local_windows_are_per_user(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world->work_time = 50 * CLOCK_MILLISECOND;
    world_start(world);
    submit(world, "", "a@local.test b@local.test c@local.test d@local.test", id);
    run_until(world, is_removed, id);
    assert_int_equal(lines_in(&world->requests), 4);
    assert_int_equal(world->most_in_progress, 4);
    world->most_in_progress = 0;
    for (int i = 0; i < 6; i++) {
        submit(world, "", "a@local.test", id);
    }
    run_until(world, all_quiet, NULL);
    assert_int_equal(world->most_in_progress, 2); /* local's default limit */
    world_free(world);
}

static void test_defer_transports(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "defer_transports = uucp, smtp\n");
    char id[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "", "a@x.test b@local.test", id);
    run_until(world, is_deferred, id);
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, id),
                        "a@x.test 4.3.2 delayed (deferred transport)\n");
    assert_int_equal(pending_in(world, QUEUE_DEFERRED, id), 1);
    world_free(world);
}

static void test_resolver_fails(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX], other[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "", "a@unresolved.test b@x.test", id);
    run_until(world, is_deferred, id);
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, id),
                        "a@unresolved.test 4.3.0 delayed (address resolver failure)\n");
    world->resolver_fails = true;
    submit(world, "", "a@x.test b@y.test", other);
    run_until(world, is_deferred, other);
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, other),
                        "a@x.test 4.3.0 delayed (address resolver failure)\n"
                        "b@y.test 4.3.0 delayed (address resolver failure)\n");
    world_free(world);
}

static void test_double_bounce(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX], mixed[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "", "Double-Bounce@local.test", id);
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->requests), "");
    submit(world, "", "double-bounce@local.test double-bounce@x.test", mixed);
    run_until(world, is_removed, mixed);
    assert_string_equal(str_ptr(&world->requests),
                        "smtp x.test: double-bounce@x.test\n");
    world_free(world);
}

static void test_many_recipients(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    struct str recipients = {0};
    for (int i = 0; i < COUNT; i++) {
        str_printf(&recipients, "u%d@d%d.test ", i, i % 100);
    }
    world_start(world);
    submit(world, "", str_ptr(&recipients), id);
    run_until(world, is_removed, id);
    assert_int_equal(lines_in(&world->requests), 100);
    str_done(&recipients);
    world_free(world);
}

/* --- windows --------------------------------------------------------------------- */

static void submit_many(struct world *world, int count, const char *recipient)
{
    char id[QUEUE_ID_MAX];
    for (int i = 0; i < count; i++) {
        submit(world, "", recipient, id);
    }
}

static void test_window_grows(void **state)
{
    (void)state;
    struct world *world =
        world_new(SETTINGS "initial_destination_concurrency = 3\n"
                           "smtp_destination_concurrency_limit = 6\n");
    world->work_time = 20 * CLOCK_MILLISECOND;
    submit_many(world, 3, "a@x.test");
    world_start(world);
    run_until(world, all_quiet, NULL);
    assert_int_equal(world->most_in_progress, 3);
    submit_many(world, 60, "a@x.test");
    run_until(world, all_quiet, NULL);
    assert_int_equal(lines_in(&world->requests), 63);
    assert_int_equal(world->most_in_progress, 6);
    world_free(world);
}

static void test_transport_limit(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "smtp_transport_concurrency_limit = 4\n");
    char recipient[32];
    world->work_time = 10 * CLOCK_MILLISECOND;
    for (int i = 0; i < 12; i++) {
        (void)snprintf(recipient, sizeof(recipient), "a@d%d.test", i);
        submit_many(world, 1, recipient);
    }
    world_start(world);
    run_until(world, all_quiet, NULL);
    assert_int_equal(lines_in(&world->requests), 12);
    assert_int_equal(world->most_in_progress, 4);
    world_free(world);
}

/* --- dead destinations ----------------------------------------------------------- */

static bool site_is_down(struct world *world, const struct deliver_request *request,
                         struct arena *arena, struct deliver_reply *reply)
{
    (void)by_local_part(world, request, arena, reply);
    if (view_equal_cstr(request->nexthop, "down.test")) {
        reply->site = DELIVER_SITE_DOWN;
        reply->site_dsn = VIEW("4.4.1");
        reply->site_reason = VIEW("connect to down.test: Connection refused");
    }
    return true;
}

/* A window of one: the first failure is a whole cohort. */
static void test_dead_destination(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "initial_destination_concurrency = 1\n");
    char waiting[QUEUE_ID_MAX], first[QUEUE_ID_MAX];
    world->agent = site_is_down;
    world_start(world);
    submit(world, "", "defer@down.test", first);
    submit(world, "", "b@down.test a@up.test", waiting);
    run_until(world, is_deferred, first);
    run_until(world, is_deferred, waiting);
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, first),
                        "defer@down.test 4.2.0 delayed (not now)\n");
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, waiting),
                        "b@down.test 4.4.1 delayed (delivery temporarily suspended: "
                        "connect to down.test: Connection refused)\n");
    /* Flushing forgets who was dead. */
    world->agent = by_local_part;
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH_ID, view_cstr(waiting)));
    run_until(world, is_removed, waiting);
    world_free(world);
}

/* A larger window takes more failures, and success forgives. */
static void test_cohorts(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "initial_destination_concurrency = 4\n");
    struct transport *smtp = transport_find(world->qmgr, VIEW("smtp"));
    struct destination *site = destination_find(smtp, VIEW("h"), VIEW("a@h"));
    for (int round = 0; round < 5; round++) {
        destination_failed(world->qmgr, site, VIEW("4.4.1"), VIEW("x"));
        destination_failed(world->qmgr, site, VIEW("4.4.1"), VIEW("x"));
        assert_int_equal(site->window, 2);
        destination_succeeded(site);
        site->window = 4;
    }
    assert_false(destination_is_dead(site));
    for (int i = 0; i < 3; i++) { /* 1/4 + 1/3 + 1/2 > 1 */
        assert_false(destination_is_dead(site));
        destination_failed(world->qmgr, site, VIEW("4.4.1"), VIEW("x"));
    }
    assert_true(destination_is_dead(site));
    assert_string_equal(site->dead_reason, "4.4.1 delivery temporarily suspended: x");
    assert_int_equal(site->window, 4);
    transport_revive_all(world->qmgr);
    assert_false(destination_is_dead(site));
    world_free(world);
}

/* Zero switches it off. */
static void test_no_cohort_limit(void **state)
{
    (void)state;
    struct world *world =
        world_new(SETTINGS "default_destination_concurrency_failed_cohort_limit = 0\n");
    struct transport *smtp = transport_find(world->qmgr, VIEW("smtp"));
    struct destination *site = destination_find(smtp, VIEW("h"), VIEW("a@h"));
    for (int i = 0; i < 100; i++) {
        destination_failed(world->qmgr, site, VIEW("4.4.1"), VIEW("x"));
    }
    assert_false(destination_is_dead(site));
    assert_int_equal(site->window, 1);
    world_free(world);
}

static void test_sweep(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    struct transport *smtp = transport_find(world->qmgr, VIEW("smtp"));
    struct transport *local = transport_find(world->qmgr, VIEW("local"));
    char name[32];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "u%d@x", i);
        (void)destination_find(smtp, view_cstr(name), VIEW("a@x"));
        (void)destination_find(local, VIEW("x"), view_cstr(name));
        (void)destination_find(local, VIEW("x\0y"), view_cstr(name));
    }
    assert_ptr_equal(destination_find(local, VIEW("x"), VIEW("U1@X")),
                     destination_find(local, VIEW("x"), VIEW("u1@x")));
    assert_int_equal(htab_count(local->destinations), 200);
    destination_suspend(world->qmgr, destination_find(smtp, VIEW("u5@x"), VIEW("a@x")),
                        CLOCK_NEVER, "4.0.0 dead");
    for (int i = 0; i < 3; i++) { /* one sweep may miss an entry at the wrap-around */
        transport_sweep(world->qmgr);
    }
    assert_int_equal(htab_count(local->destinations), 0);
    assert_int_equal(htab_count(smtp->destinations), 1);
    world_free(world);
}

/* --- limits and flushing --------------------------------------------------------- */

static void test_active_limit(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "qmgr_message_active_limit = 2\n");
    char ids[10][QUEUE_ID_MAX];
    for (int i = 0; i < 10; i++) {
        write_message(world, QUEUE_INCOMING, "", "a@x.test", 0, 0, ids[i]);
    }
    world_start(world);
    for (int i = 0; i < 10; i++) {
        assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, view_cstr(ids[i])));
    }
    for (int i = 0; i < 10; i++) {
        run_until(world, is_removed, ids[i]);
    }
    assert_true(world->most_in_progress <= 2);
    world_free(world);
}

/* Deferred mail is taken up when its time has come, or when it is asked for. */
static void test_flush(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char due[QUEUE_ID_MAX], later[QUEUE_ID_MAX];
    write_message(world, QUEUE_DEFERRED, "", "a@x.test", 0, 0, due);
    write_message(world, QUEUE_DEFERRED, "", "b@x.test", 0, 0, later);
    struct str path = {0};
    queue_path(world->qmgr->dirs, QUEUE_DEFERRED, later, &path);
    struct timespec times[2] = {{.tv_sec = clock_wall() / CLOCK_SECOND + 1000},
                                {.tv_sec = clock_wall() / CLOCK_SECOND + 1000}};
    assert_int_equal(utimensat(AT_FDCWD, str_ptr(&path), times, 0), 0);
    str_done(&path);
    world_start(world);
    run_until(world, is_removed, due);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_WAKEUP, VIEW("")));
    run_until(world, all_quiet, NULL);
    assert_true(is_in(world, QUEUE_DEFERRED, later));
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH, VIEW("")));
    run_until(world, is_removed, later);
    world_free(world);
}

/* Several jobs of one message end at the same time, each with a bounce to record. */
static void test_jobs_end_together(void **state)
{
    (void)state;
    enum { COUNT = 30 };
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    struct str recipients = {0};
    for (int i = 0; i < COUNT; i++) {
        str_printf(&recipients, "bounce@d%02d.test ", i);
    }
    world->work_time = 10 * CLOCK_MILLISECOND;
    world_start(world);
    submit(world, "s@x.test", str_ptr(&recipients), id);
    run_until(world, is_removed, id);
    assert_int_equal(lines_in(&world->bounces), 1 + COUNT);
    str_done(&recipients);
    world_free(world);
}

/* Kept connections are used again, and closed after a while. */
static void test_connections_are_kept(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world_start(world);
    for (int i = 0; i < 5; i++) {
        submit(world, "", "a@x.test", id);
        run_until(world, is_removed, id);
    }
    struct transport *smtp = transport_find(world->qmgr, VIEW("smtp"));
    assert_false(list_empty(&smtp->idle));
    struct agent *agent = LIST_ITEM(list_first(&smtp->idle), struct agent, node);
    assert_ptr_equal(smtp->idle.next, smtp->idle.prev);
    assert_int_equal(agent->requests, 5);
    agent->idle_since -= 6 * CLOCK_SECOND;
    transport_sweep(world->qmgr);
    assert_true(list_empty(&smtp->idle));
    world_free(world);
}

static bool all_are_removed(struct world *world, const char *id)
{
    (void)id;
    return list_empty(&world->qmgr->messages);
}

/* What waits for a destination goes to an agent that likes it several at a time, but
 * never so that the other slot of the window has nothing to do. */
static void test_batches(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "smtp_destination_concurrency_limit = 2\n"
                                             "initial_destination_concurrency = 2\n");
    char id[QUEUE_ID_MAX];
    world->batch = 3;
    world->work_time = 5 * CLOCK_MILLISECOND;
    world_start(world);
    submit(world, "", "first@x.test", id); /* the agent says what it likes */
    run_until(world, is_removed, id);
    assert_int_equal(world->more_waiting, 0);
    for (int i = 0; i < 10; i++) {
        submit(world, "", "a@x.test", id);
    }
    run_until(world, all_are_removed, NULL);
    assert_int_equal(world->most_in_progress, 2);
    assert_in_range(world->more_waiting, 4, 8);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_recipients),
        cmocka_unit_test(test_recipient_limit),
        cmocka_unit_test(test_local_windows_are_per_user),
        cmocka_unit_test(test_defer_transports),
        cmocka_unit_test(test_resolver_fails),
        cmocka_unit_test(test_double_bounce),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_window_grows),
        cmocka_unit_test(test_transport_limit),
        cmocka_unit_test(test_dead_destination),
        cmocka_unit_test(test_cohorts),
        cmocka_unit_test(test_no_cohort_limit),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_active_limit),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_jobs_end_together),
        cmocka_unit_test(test_connections_are_kept),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
