/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <sys/socket.h>

#include "net/frame.h"
#include "rpc/deliver.h"

static void make_pair(struct stream **a, struct stream **b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *a = stream_new(fds[0]);
    *b = stream_new(fds[1]);
}

static void test_request(void **state)
{
    (void)state;
    struct stream *qmgr;
    struct stream *agent;
    struct arena arena = {0};
    struct queue_attribute attributes[] = {{VIEW("client_name"), VIEW("localhost")}};
    struct queue_recipient recipients[] = {
        {.address = VIEW("a@b"), .original = VIEW("a"), .state_offset = 200},
        {.address = VIEW("c@d"), .dsn_orcpt = VIEW("rfc822;c"), .dsn_notify = 3}};
    struct deliver_request sent = {.queue_name = VIEW("active"),
                                   .queue_id = VIEW("307D1A90021"),
                                   .nexthop = VIEW("b"),
                                   .sender = VIEW("s@e"),
                                   .content_offset = 128,
                                   .content_size = 77,
                                   .content_sum = UINT64_MAX,
                                   .attributes = attributes,
                                   .attribute_count = 1,
                                   .recipients = recipients,
                                   .recipient_count = 2};
    struct deliver_request got;
    make_pair(&qmgr, &agent);
    assert_true(deliver_send_request(qmgr, &sent));
    assert_true(deliver_receive_request(agent, &arena, &got));
    assert_view_equal(got.queue_id, "307D1A90021");
    assert_view_equal(got.sender, "s@e");
    assert_int_equal(got.content_size, 77);
    assert_true(got.content_sum == UINT64_MAX);
    assert_view_equal(deliver_attribute(&got, "client_name"), "localhost");
    assert_int_equal(deliver_attribute(&got, "none").len, 0);
    assert_int_equal(got.recipient_count, 2);
    assert_int_equal(got.recipients[0].state_offset, 200);
    assert_view_equal(got.recipients[1].dsn_orcpt, "rfc822;c");
    assert_int_equal(got.recipients[1].dsn_notify, 3);
    sent.queue_id = VIEW("../../etc");
    assert_true(deliver_send_request(qmgr, &sent));
    assert_false(deliver_receive_request(agent, &arena, &got));
    assert_int_equal(stream_state(agent), STREAM_ERROR);
    stream_free(&qmgr);
    stream_free(&agent);
    arena_clear(&arena);
}

static void test_reply(void **state)
{
    (void)state;
    struct stream *qmgr;
    struct stream *agent;
    struct arena arena = {0};
    struct deliver_outcome outcomes[] = {
        {.status = DELIVER_SENT, .dsn = VIEW("2.0.0"), .reason = VIEW("ok")},
        {.status = DELIVER_BOUNCED,
         .dsn = VIEW("5.1.1"),
         .diagnostic = VIEW("550 no")}};
    struct deliver_leaf leaves[] = {
        {.index = 1,
         .address = VIEW("a@example.com"),
         .outcome = {.status = DELIVER_DEFERRED, .relay = VIEW("local")}},
        {.index = 1,
         .address = VIEW("b@example.com"),
         .outcome = {.status = DELIVER_BOUNCED}}};
    struct deliver_reply sent = {.outcomes = outcomes,
                                 .count = 2,
                                 .leaves = leaves,
                                 .leaf_count = 2,
                                 .damaged = true,
                                 .site = DELIVER_SITE_DOWN,
                                 .site_reason = VIEW("connection refused")};
    struct deliver_reply got;
    make_pair(&qmgr, &agent);
    assert_true(deliver_send_reply(agent, &sent));
    assert_true(deliver_receive_reply(qmgr, &arena, &got));
    assert_int_equal(got.count, 2);
    assert_int_equal(got.site, DELIVER_SITE_DOWN);
    assert_view_equal(got.site_reason, "connection refused");
    assert_int_equal(got.outcomes[1].status, DELIVER_BOUNCED);
    assert_view_equal(got.outcomes[1].diagnostic, "550 no");
    assert_true(got.damaged);
    assert_int_equal(got.leaf_count, 2);
    assert_view_equal(got.leaves[0].outcome.relay, "local");
    assert_int_equal(got.leaves[1].index, 1);
    assert_view_equal(got.leaves[1].address, "b@example.com");
    leaves[1].index = 0; /* out of order */
    assert_true(deliver_send_reply(agent, &sent));
    assert_false(deliver_receive_reply(qmgr, &arena, &got));
    stream_free(&qmgr);
    stream_free(&agent);
    make_pair(&qmgr, &agent);
    leaves[1].index = 1;
    outcomes[0].status = (enum deliver_status)'?';
    assert_true(deliver_send_reply(agent, &sent));
    assert_false(deliver_receive_reply(qmgr, &arena, &got));
    stream_free(&qmgr);
    stream_free(&agent);
    arena_clear(&arena);
}

/* A count that promises more than there is must not become an allocation. */
static void test_lying_count(void **state)
{
    (void)state;
    struct stream *qmgr;
    struct stream *agent;
    struct arena arena = {0};
    struct deliver_reply got;
    struct str frame = {0};
    make_pair(&qmgr, &agent);
    frame_begin(&frame, DELIVER_FRAME_REPLY);
    frame_put_u8(&frame, DELIVER_SITE_OK);
    frame_put_view(&frame, VIEW(""));
    frame_put_view(&frame, VIEW(""));
    frame_put_u8(&frame, 0);
    frame_put_u64(&frame, UINT64_MAX / 100);
    assert_true(frame_send_now(agent, &frame));
    assert_false(deliver_receive_reply(qmgr, &arena, &got));
    assert_int_equal(got.count, 0);
    str_done(&frame);
    stream_free(&qmgr);
    stream_free(&agent);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_request),
                                       cmocka_unit_test(test_reply),
                                       cmocka_unit_test(test_lying_count)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
