/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "base/check.h"
#include "base/log.h"
#include "net/frame.h"
#include "rpc/anvil.h"
#include "sys/clock.h"
#include "task/task.h"
#include "testing/unix_server.h"

/* An anvil that knows one client, who has OTHERS sessions elsewhere. */
struct world {
    uint64_t others;
    uint64_t rates[ANVIL_EVENTS];
    uint64_t sessions; /* as reported last */
    int reports;
};

static void answer(struct world *world, const struct anvil_item *items, size_t count,
                   struct anvil_total *totals)
{
    for (size_t i = 0; i < count; i++) {
        assert_view_equal(items[i].ident, "smtp:192.0.2.1");
        world->sessions = items[i].sessions;
        totals[i].sessions = world->others + items[i].sessions;
        for (size_t k = 0; k < ANVIL_EVENTS; k++) {
            world->rates[k] += items[i].events[k];
            totals[i].rates[k] = world->rates[k];
        }
    }
}

static void serve(void *context, size_t number, struct stream *client)
{
    struct world *world = context;
    struct frame_reader reader;
    uint8_t kind;
    (void)number;
    while (frame_receive(client, &kind, &reader)) {
        struct arena arena = {0};
        struct anvil_item *items;
        struct anvil_total totals[10] = {0};
        size_t count;
        assert_true(anvil_report_parse(kind, reader.rest, &arena, &items, &count));
        assert_true(count <= ARRAY_SIZE(totals));
        answer(world, items, count, totals);
        assert_true(anvil_send_totals(client, totals, count));
        world->reports++;
        arena_clear(&arena);
    }
}

static void wait_for_reports(const struct world *world, int number)
{
    while (world->reports < number) {
        (void)task_sleep_until(clock_now() + CLOCK_MILLISECOND);
    }
}

/* What is far from every limit waits for nobody; what is near one is exact. */
static void count_body(void *context)
{
    struct world world = {0};
    struct unix_server server = {
        .path = "private/anvil", .connections = 1, .session = serve, .context = &world};
    struct conf *conf = conf_open_text(".", "", NULL);
    struct anvil_client *client = anvil_client_new(conf);
    (void)context;
    unix_server_start(&server);
    struct anvil_peer *peer = anvil_enter(client, VIEW("smtp:192.0.2.1"));
    assert_int_equal(anvil_count(client, peer, ANVIL_CONNECTION, 50), 1);
    assert_int_equal(anvil_sessions(client, peer, 50), 1);
    assert_int_equal(world.reports, 0);
    wait_for_reports(&world, 1); /* comes by itself */
    assert_int_equal(world.rates[ANVIL_CONNECTION], 1);
    /* Others have done much meanwhile. */
    world.others = 60;
    world.rates[ANVIL_MESSAGE] = 100;
    assert_int_equal(anvil_count(client, peer, ANVIL_MESSAGE, 2), 101);
    assert_int_equal(anvil_sessions(client, peer, 50), 61);
    assert_int_equal(world.sessions, 1);
    /* Nothing is limited: nobody is asked. */
    int reports = world.reports;
    assert_int_equal(anvil_rate(client, peer, ANVIL_AUTH, 0), 0);
    assert_int_equal(world.reports, reports);
    assert_int_equal(anvil_rate(client, peer, ANVIL_MESSAGE, 5), 101);
    anvil_leave(client, peer);
    wait_for_reports(&world, reports + 2);
    assert_int_equal(world.sessions, 0);
    anvil_client_free(&client);
    unix_server_wait(&server);
    conf_free(&conf);
}

/* Its sessions are told to an anvil that is new. */
static void restart_body(void *context)
{
    struct world world = {0};
    struct unix_server server = {
        .path = "private/anvil", .connections = 1, .session = serve, .context = &world};
    struct conf *conf = conf_open_text(".", "", NULL);
    struct anvil_client *client = anvil_client_new(conf);
    (void)context;
    struct anvil_peer *first = anvil_enter(client, VIEW("smtp:192.0.2.1"));
    /* Without anvil everybody counts for himself. */
    assert_int_equal(anvil_count(client, first, ANVIL_CONNECTION, 1), 0);
    assert_int_equal(anvil_sessions(client, first, 1), 1);
    anvil_leave(client, first);
    anvil_client_free(&client); /* the report that is due frees it */
    client = anvil_client_new(conf);
    unix_server_start(&server);
    struct anvil_peer *peer = anvil_enter(client, VIEW("smtp:192.0.2.1"));
    struct anvil_peer *again = anvil_enter(client, VIEW("smtp:192.0.2.1"));
    assert_ptr_equal(peer, again);
    assert_int_equal(anvil_sessions(client, peer, 2), 2);
    assert_int_equal(world.sessions, 2);
    anvil_leave(client, peer);
    anvil_leave(client, peer);
    wait_for_reports(&world, 2);
    anvil_client_free(&client);
    unix_server_wait(&server);
    conf_free(&conf);
}

static void test_count(void **state)
{
    (void)state;
    test_run_in_spool(count_body, NULL);
}

static void test_restart(void **state)
{
    (void)state;
    log_set_stderr(false);
    test_run_in_spool(restart_body, NULL);
}

static void test_malformed(void **state)
{
    STR_AUTO struct str frame = {0};
    (void)state;
    frame_begin(&frame, ANVIL_FRAME_REPORT);
    frame_put_u64(&frame, 1);
    frame_put_cstr(&frame, "x");
    for (int i = 0; i < 2 + ANVIL_EVENTS; i++) {
        frame_put_u64(&frame, 1);
    }
    enum { HEAD = 5 };
    struct view fields = view_from(str_view(&frame), HEAD);
    for (size_t i = 0; i <= fields.len; i++) {
        struct arena arena = {0};
        struct anvil_item *items;
        size_t count;
        bool parsed = anvil_report_parse(ANVIL_FRAME_REPORT, view_first(fields, i),
                                         &arena, &items, &count);
        assert_int_equal(parsed, i == fields.len);
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_count),
                                       cmocka_unit_test(test_restart),
                                       cmocka_unit_test(test_malformed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
