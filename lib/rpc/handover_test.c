/* SPDX-License-Identifier: MIT */
#include "rpc/handover.h"

#include "testing/test.h"

static struct resolve_reply route = {
    .transport = {"local", sizeof("local") - 1},
    .nexthop = {"example.com", sizeof("example.com") - 1},
    .recipient = {"ann@example.com", sizeof("ann@example.com") - 1},
    .address_class = CLASS_LOCAL,
    .outcome = OK};

static void encode(struct str *text)
{
    const struct handover handover = {VIEW("307D1A90021"), VIEW("head"), VIEW("t"),
                                      &route, 1};
    assert_true(handover_encode(&handover, text));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct str text = {0};
    struct arena arena = {0};
    struct handover got;
    encode(&text);
    assert_true(handover_decode(str_view(&text), &arena, &got));
    assert_true(view_equal_cstr(got.queue_id, "307D1A90021"));
    assert_true(view_equal_cstr(got.head, "head"));
    assert_true(view_equal_cstr(got.tail, "t"));
    assert_int_equal(got.count, 1);
    assert_true(view_equal_cstr(got.routes[0].transport, "local"));
    assert_true(view_equal_cstr(got.routes[0].nexthop, "example.com"));
    assert_true(view_equal_cstr(got.routes[0].recipient, "ann@example.com"));
    assert_int_equal(got.routes[0].address_class, CLASS_LOCAL);
    arena_clear(&arena);
    str_done(&text);
}

/* Cut anywhere it is malformed, and so it is with something added. */
static void test_malformed(void **state)
{
    (void)state;
    struct str text = {0};
    struct arena arena = {0};
    struct handover got;
    encode(&text);
    for (size_t len = 0; len < text.len; len++) {
        assert_false(handover_decode(view_first(str_view(&text), len), &arena, &got));
    }
    str_add_byte(&text, 'x');
    assert_false(handover_decode(str_view(&text), &arena, &got));
    arena_clear(&arena);
    str_done(&text);
}

static void test_too_large(void **state)
{
    (void)state;
    struct str text = {0};
    static char bytes[HANDOVER_BYTES_MAX + 1];
    struct handover handover = {VIEW("307D1A90021"), view_of(bytes, sizeof(bytes)),
                                VIEW(""), &route, 1};
    assert_false(handover_encode(&handover, &text));
    handover.head = VIEW("");
    handover.count = HANDOVER_RECIPIENTS_MAX + 1;
    assert_false(handover_encode(&handover, &text));
    str_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
