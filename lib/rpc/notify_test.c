/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "base/str.h"
#include "rpc/notify.h"
#include "task/task.h"
#include "testing/unix_server.h"

struct received {
    struct str text; /* "N:307D1A90021 " ... */
    size_t most;     /* frames per connection; then it closes */
};

static void serve(void *context, size_t number, struct stream *client)
{
    struct received *received = context;
    enum notify_frame kind;
    struct view text;
    (void)number;
    for (size_t i = 0; i < received->most && notify_receive(client, &kind, &text);
         i++) {
        str_printf(&received->text, "%c:%.*s ", (char)kind, VIEW_ARG(text));
    }
}

static void body_send(void *context)
{
    struct received received = {.most = 10};
    struct unix_server server = {.path = "public/qmgr",
                                 .connections = 1,
                                 .session = serve,
                                 .context = &received};
    struct err err = {0};
    (void)context;
    assert_int_equal(notify_send("public/qmgr", NOTIFY_FLUSH, VIEW(""), &err),
                     TEMPFAIL);
    assert_string_equal(err.text, "connect to public/qmgr: No such file or directory");
    unix_server_start(&server);
    assert_int_equal(notify_send("public/qmgr", NOTIFY_FLUSH_ID, VIEW("ABC"), &err),
                     OK);
    unix_server_wait(&server);
    assert_string_equal(str_ptr(&received.text), "I:ABC ");
    str_done(&received.text);
}

/* The receiver closes the connection after two: the third needs a new one. */
static void body_channel(void *context)
{
    struct received received = {.most = 2};
    struct unix_server server = {.path = "public/qmgr",
                                 .connections = 2,
                                 .session = serve,
                                 .context = &received};
    struct notify_channel *channel = notify_channel_new("public/qmgr");
    (void)context;
    assert_false(
        notify_channel_send(channel, NOTIFY_NEW, VIEW("0"))); /* nobody there */
    unix_server_start(&server);
    static const char *const expected[] = {"N:1 ", "N:1 N:2 ", "N:1 N:2 N:3 "};
    static const char *const ids[] = {"1", "2", "3"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(notify_channel_send(channel, NOTIFY_NEW, view_cstr(ids[i])));
        while (received.text.len < strlen(expected[i])) {
            task_yield();
        }
        assert_string_equal(str_ptr(&received.text), expected[i]);
        (void)task_sleep_until(clock_now() + 20 * CLOCK_MILLISECOND);
    }
    notify_channel_free(&channel);
    unix_server_wait(&server);
    str_done(&received.text);
}

static void test_send(void **state)
{
    (void)state;
    test_run_in_spool(body_send, NULL);
}

static void test_channel(void **state)
{
    (void)state;
    test_run_in_spool(body_channel, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_send),
                                       cmocka_unit_test(test_channel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
