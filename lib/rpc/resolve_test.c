/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "rpc/resolve.h"
#include "testing/unix_server.h"

struct script {
    size_t requests[4]; /* per connection: how many are answered before it closes */
    size_t served;
};

static void serve(void *context, size_t number, struct stream *client)
{
    struct script *script = context;
    struct arena arena = {0};
    struct resolve_request request;
    for (size_t i = 0; i < script->requests[number]; i++) {
        if (!resolve_receive(client, &arena, &request)) {
            break;
        }
        struct resolve_reply *replies =
            arena_alloc(&arena, (request.count + 1) * sizeof(*replies));
        for (size_t k = 0; k < request.count; k++) {
            replies[k] = (struct resolve_reply){.transport = VIEW("smtp"),
                                                .nexthop = request.sender,
                                                .recipient = request.addresses[k],
                                                .address_class = CLASS_DEFAULT};
        }
        script->served += request.count;
        assert_true(resolve_send_reply(client, replies, request.count));
    }
    arena_clear(&arena);
}

static void body(void *context)
{
    struct script script = {.requests = {1, 10, 0}};
    struct unix_server server = {.path = "private/rewrite",
                                 .connections = 2,
                                 .session = serve,
                                 .context = &script};
    struct conf *conf = conf_open_text(".", "", NULL);
    struct resolve_client *client = resolve_client_new(conf);
    struct arena arena = {0};
    struct resolve_reply *replies;
    struct err err = {0};
    enum { MANY = 5000 };
    struct view *addresses = arena_alloc(&arena, MANY * sizeof(*addresses));
    (void)context;
    for (size_t i = 0; i < MANY; i++) {
        addresses[i] = view_cstr(arena_printf(&arena, "user%zu@example.com", i));
    }
    assert_int_equal(
        resolve_ask(client, VIEW("s"), addresses, 1, &arena, &replies, &err), TEMPFAIL);
    unix_server_start(&server);
    assert_int_equal(
        resolve_ask(client, VIEW("s"), addresses, 1, &arena, &replies, &err), OK);
    assert_view_equal(replies[0].recipient, "user0@example.com");
    assert_view_equal(replies[0].nexthop, "s");
    /* That connection is closed now; several batches go over the next one. */
    assert_int_equal(
        resolve_ask(client, VIEW("s"), addresses, MANY, &arena, &replies, &err), OK);
    assert_view_equal(replies[MANY - 1].recipient, "user4999@example.com");
    assert_int_equal(script.served, MANY + 1);
    assert_int_equal(resolve_ask(client, VIEW("s"), NULL, 0, &arena, &replies, &err),
                     OK);
    resolve_client_free(&client);
    unix_server_wait(&server);
    conf_free(&conf);
    arena_clear(&arena);
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
