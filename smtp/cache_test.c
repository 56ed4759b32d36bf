/* SPDX-License-Identifier: MIT */
/* Connections that are kept between deliveries. */
#include "smtp/test_world.h"

#define HOP "[127.0.0.1]:PORT"
#define MAIL "MAIL FROM:<s@me.test> SIZE=20\nRCPT TO:<a@x.test>\nDATA\n"

static struct world *world_with_cache(const char *settings)
{
    struct world *world = world_new(settings, "a@x.test");
    world->smtp.cache = cache_new(world->conf);
    return world;
}

static void end(struct world *world)
{
    cache_free(&world->smtp.cache);
    world_free(world);
}

static void deliver_one(struct world *world, bool more_follows)
{
    world->id[0] = '\0';
    world->request.more_follows = more_follows;
    deliver(world, HOP);
}

static void test_kept(void **state)
{
    (void)state;
    struct world *world = world_with_cache("");
    struct server *server = serve(world, "127.0.0.1", "");
    deliver_one(world, true);
    assert_null(strstr(str_ptr(&world->log), "conn_use"));
    deliver_one(world, true);
    assert_non_null(strstr(str_ptr(&world->log), ", conn_use=2, delay="));
    assert_null(memmem(world->reply.outcomes[0].relay.ptr,
                       world->reply.outcomes[0].relay.len, "conn_use", 8));
    deliver_one(world, false); /* the last one says goodbye */
    assert_int_equal(server->sessions, 1);
    assert_string_equal(str_ptr(&server->commands),
                        "EHLO me.test\n" MAIL MAIL MAIL "QUIT\n");
    assert_string_equal(outcome_text(world, 0), "2.0.0 s 250 2.0.0 taken");
    end(world);
}

static void test_not_wanted(void **state)
{
    (void)state;
    struct world *world = world_with_cache("smtp_connection_cache_on_demand = no\n");
    struct server *server = serve(world, "127.0.0.1", "");
    deliver_one(world, true);
    deliver_one(world, true);
    assert_int_equal(server->sessions, 2);
    end(world);
    /* By name, whatever follows. */
    world = world_with_cache("smtp_connection_cache_destinations = 127.0.0.1\n");
    server = serve(world, "127.0.0.1", "");
    deliver_one(world, false);
    deliver_one(world, false);
    assert_int_equal(server->sessions, 1);
    end(world);
}

/* A server that closes after each message costs nothing but the connection. */
static void test_closed_meanwhile(void **state)
{
    (void)state;
    struct world *world = world_with_cache("");
    struct server *server = serve(world, "127.0.0.1", "eom -> CLOSE 250 2.0.0 taken\n");
    deliver_one(world, true);
    deliver_one(world, true);
    assert_int_equal(server->sessions, 2);
    assert_string_equal(outcome_text(world, 0), "2.0.0 s 250 2.0.0 taken");
    assert_null(strstr(str_ptr(&world->log), "lost connection"));
    end(world);
}

/* One that says so only when it is asked is asked on a new connection. */
static void test_closes_when_asked(void **state)
{
    (void)state;
    struct world *world = world_with_cache("");
    struct server *server = serve(world, "127.0.0.1", "");
    deliver_one(world, true);
    server->script = "MAIL -> CLOSE 421 4.4.2 not any more\n";
    deliver_one(world, true);
    assert_int_equal(server->sessions, 2);
    assert_non_null(strstr(outcome_text(world, 0), "421 4.4.2 not any more"));
    end(world);
}

/* A refused transaction is reset before the connection is kept. */
static void test_after_refusal(void **state)
{
    (void)state;
    struct world *world = world_with_cache("");
    struct server *server = serve(world, "127.0.0.1", "DATA -> 550 5.7.1 not today\n");
    deliver_one(world, true);
    server->script = "";
    deliver_one(world, true);
    assert_int_equal(server->sessions, 1);
    assert_string_equal(str_ptr(&server->commands),
                        "EHLO me.test\n" MAIL "RSET\n" MAIL);
    assert_string_equal(outcome_text(world, 0), "2.0.0 s 250 2.0.0 taken");
    end(world);
}

static void wait_fiber(void *context)
{
    (void)task_sleep_until(clock_now() + 1200 * CLOCK_MILLISECOND);
    (void)context;
    task_stop();
}

static void test_limits(void **state)
{
    (void)state;
    struct world *world = world_with_cache("smtp_connection_reuse_count_limit = 2\n"
                                           "smtp_connection_cache_time_limit = 1s\n");
    struct server *server = serve(world, "127.0.0.1", "");
    deliver_one(world, true);
    deliver_one(world, true); /* used twice: enough */
    deliver_one(world, true);
    assert_int_equal(server->sessions, 2);
    assert_string_equal(str_ptr(&server->commands),
                        "EHLO me.test\n" MAIL MAIL "QUIT\nEHLO me.test\n" MAIL);
    (void)task_spawn("wait", wait_fiber, NULL); /* unused for a second */
    task_run(false);
    assert_string_equal(str_ptr(&server->commands),
                        "EHLO me.test\n" MAIL MAIL "QUIT\nEHLO me.test\n" MAIL
                        "QUIT\n");
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_not_wanted),
        cmocka_unit_test(test_closed_meanwhile),
        cmocka_unit_test(test_closes_when_asked),
        cmocka_unit_test(test_after_refusal),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
