/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "rpc/bounce.h"
#include "testing/unix_server.h"

static void serve(void *context, size_t number, struct stream *client)
{
    struct arena arena = {0};
    struct bounce_request request;
    (void)context;
    if (bounce_receive(client, &arena, &request)) {
        assert_int_equal(request.kind, BOUNCE_DELAYED);
        assert_view_equal(request.sender, "s@e");
        assert_int_equal(request.dsn_ret, 2);
        assert_true(
            bounce_send_reply(client, number == 0 ? OK : PERMFAIL, VIEW("why")));
    } else {
        assert_int_equal(stream_state(client), STREAM_ERROR);
    }
    arena_clear(&arena);
}

static void body(void *context)
{
    struct unix_server server = {
        .path = "private/defer", .connections = 3, .session = serve};
    struct bounce_request request = {.kind = BOUNCE_DELAYED,
                                     .queue_name = VIEW("active"),
                                     .queue_id = VIEW("307D1A90021"),
                                     .sender = VIEW("s@e"),
                                     .dsn_ret = 2};
    struct err err = {0};
    (void)context;
    assert_int_equal(bounce_ask("defer", &request, &err), TEMPFAIL);
    assert_string_equal(err.text,
                        "connect to private/defer: No such file or directory");
    unix_server_start(&server);
    assert_int_equal(bounce_ask("defer", &request, &err), OK);
    assert_int_equal(bounce_ask("defer", &request, &err), PERMFAIL);
    assert_string_equal(err.text, "why");
    request.queue_id = VIEW("../x");
    assert_int_equal(bounce_ask("defer", &request, &err), TEMPFAIL);
    unix_server_wait(&server);
}

static void test_ask(void **state)
{
    (void)state;
    test_run_in_spool(body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ask)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
