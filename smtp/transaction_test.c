/* SPDX-License-Identifier: MIT */
/* Sessions with servers that follow a script. */
#include "smtp/test_world.h"

#define HOP "[127.0.0.1]:PORT"
#define NO_PIPELINING "EHLO -> 250-test\\n250-SIZE 0\\n250 8BITMIME\n"
/* Peer and relay name of the first server. */
#define PEER "127.0.0.1[127.0.0.1]"

static void test_pipelined(void **state)
{
    (void)state;
    struct world *world = world_new("", "a@x.test b@x.test");
    struct server *server = serve(world, "127.0.0.1", "");
    deliver(world, HOP);
    assert_string_equal(str_ptr(&server->commands),
                        "EHLO me.test\nMAIL FROM:<s@me.test> SIZE=20\n"
                        "RCPT TO:<a@x.test>\nRCPT TO:<b@x.test>\nDATA\nQUIT\n");
    assert_string_equal(str_ptr(&server->content), "Subject: test\n\nbody\n");
    assert_string_equal(outcome_text(world, 0), "2.0.0 s 250 2.0.0 taken");
    assert_true(is_marked(world, 0) && is_marked(world, 1));
    assert_int_equal(world->reply.site, DELIVER_SITE_OK);
    assert_non_null(strstr(str_ptr(&world->log), "to=<b@x.test>, relay=" PEER ":"));
    assert_non_null(strstr(str_ptr(&world->log), "status=sent (250 2.0.0 taken)"));
    world_free(world);
}

static void test_step_by_step(void **state)
{
    (void)state;
    struct world *world = world_new("", "a@x.test bad@x.test");
    struct server *server = serve(
        world, "127.0.0.1", NO_PIPELINING "RCPT TO:<bad -> 550 5.1.1 no such user\n");
    deliver(world, HOP);
    assert_string_equal(str_ptr(&server->commands),
                        "EHLO me.test\nMAIL FROM:<s@me.test> SIZE=20\n"
                        "RCPT TO:<a@x.test>\nRCPT TO:<bad@x.test>\nDATA\nQUIT\n");
    assert_string_equal(outcome_text(world, 0), "2.0.0 s 250 2.0.0 taken");
    assert_string_equal(outcome_text(world, 1),
                        "5.1.1 b host " PEER
                        " said: 550 5.1.1 no such user (in reply to "
                        "RCPT TO command)");
    assert_true(is_marked(world, 0) && !is_marked(world, 1));
    world_free(world);
}

/* More recipients than go out at once. */
static void test_many_recipients(void **state)
{
    (void)state;
    struct str recipients = {0};
    for (int i = 0; i < 250; i++) {
        str_printf(&recipients, "u%03d@x.test ", i);
    }
    struct world *world = world_new("", str_ptr(&recipients));
    struct server *server =
        serve(world, "127.0.0.1", "RCPT TO:<u2 -> 450 4.2.1 not this one\n");
    deliver(world, HOP);
    for (size_t i = 0; i < 250; i++) {
        assert_true(is_marked(world, i) == (i < 200));
        assert_int_equal(world->reply.outcomes[i].status,
                         i < 200 ? DELIVER_SENT : DELIVER_DEFERRED);
    }
    assert_int_equal(server->sessions, 1);
    str_done(&recipients);
    world_free(world);
}

static void test_parameters(void **state)
{
    (void)state;
    struct world *world = world_new("smtp_helo_name = helo.test\n", "a@x.test");
    struct server *server = serve(world, "127.0.0.1", "");
    world->request.dsn_envid = VIEW("e 1+");
    world->request.dsn_ret = DSN_RET_HDRS;
    world->request.file_flags = QUEUE_FILE_8BITMIME;
    world->recipients[0].address = VIEW("a b@x.test");
    world->recipients[0].dsn_orcpt = VIEW("rfc822;\"a b\"@x.test");
    world->recipients[0].dsn_notify = DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY;
    deliver(world, HOP);
    assert_non_null(
        strstr(str_ptr(&server->commands),
               "EHLO helo.test\nMAIL FROM:<s@me.test> SIZE=20 BODY=8BITMIME "
               "ENVID=e+201+2B RET=HDRS\nRCPT TO:<\"a b\"@x.test> "
               "ORCPT=rfc822;\"a+20b\"@x.test NOTIFY=SUCCESS,DELAY\n"));
    assert_int_equal(world->reply.outcomes[0].action.len, 0); /* the server reports */
    world_free(world);
}

/* A server that knows nothing gets no parameters. */
static void test_helo_fallback(void **state)
{
    (void)state;
    struct world *world = world_new("", "a@x.test");
    struct server *server =
        serve(world, "127.0.0.1", "EHLO -> 502 5.5.1 unknown\nMAIL -> 250 ok\n");
    world->request.dsn_envid = VIEW("e1");
    world->request.file_flags = QUEUE_FILE_8BITMIME;
    world->recipients[0].dsn_notify = DSN_NOTIFY_SUCCESS;
    deliver(world, HOP);
    assert_string_equal(str_ptr(&server->commands),
                        "EHLO me.test\nHELO me.test\nMAIL FROM:<s@me.test>\n"
                        "RCPT TO:<a@x.test>\nDATA\nQUIT\n");
    assert_view_equal(world->reply.outcomes[0].action, "relayed");
    world_free(world);
}

static void test_ehlo_by_greeting(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *script, *verb;
    } rows[] = {
        {"smtp_always_send_ehlo = no\n", "banner -> 220 x ESMTP y\n", "EHLO"},
        {"smtp_always_send_ehlo = no\n", "banner -> 220 x SMTP y\n", "HELO"},
        {"smtp_always_send_ehlo = no\n", "banner -> 220 xESMTP\n", "HELO"},
        {"smtp_never_send_ehlo = yes\n", "banner -> 220 x ESMTP\n", "HELO"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_new(rows[i].settings, "a@x.test");
        struct server *server = serve(world, "127.0.0.1", rows[i].script);
        deliver(world, HOP);
        assert_true(view_starts(str_view(&server->commands), view_cstr(rows[i].verb)));
        assert_int_equal(world->reply.outcomes[0].status, DELIVER_SENT);
        world_free(world);
    }
}

/* --- one reply decides ----------------------------------------------------------- */

/* All with the one and last server; %s is the peer's name. */
static const struct {
    const char *script, *outcome;
    const char *settings;
    bool site_down;
} endings[] = {
    {"banner -> 554 go away\n", "4.0.0 d host %s refused to talk to me: 554 go away",
     "", true},
    {"banner -> 554 go away\n", "5.0.0 b host %s refused to talk to me: 554 go away",
     "smtp_skip_5xx_greeting = no\n", false},
    {"banner -> 421 4.3.2 busy\n",
     "4.3.2 d host %s refused to talk to me: 421 4.3.2 busy", "", true},
    {"banner -> 350 what\n", "5.5.0 b host %s refused to talk to me: 350 what", "",
     false},
    {"banner -> noise\\n220 fine\n", "2.0.0 s 250 2.0.0 taken", "", false},
    {"EHLO -> 421 later\n", "4.0.0 d host %s refused to talk to me: 421 later", "",
     true},
    {"EHLO -> 500 no\nHELO -> 550 never\n",
     "5.0.0 b host %s refused to talk to me: 550 never", "", false},
    {"EHLO -> 500 no\nHELO -> 450 hm\n",
     "4.0.0 d host %s refused to talk to me: 450 hm", "", true},
    {"banner -> CLOSE\n",
     "4.4.2 d lost connection with %s while receiving the initial server greeting", "",
     true},
    {"EHLO -> CLOSE\n",
     "4.4.2 d lost connection with %s while performing the EHLO handshake", "", true},
    {"EHLO -> 500 no\nHELO -> CLOSE\n",
     "4.4.2 d lost connection with %s while performing the HELO handshake", "", true},
    {"MAIL -> CLOSE\n", "4.4.2 d lost connection with %s while sending MAIL FROM", "",
     true},
    {"RCPT -> CLOSE\n", "4.4.2 d lost connection with %s while sending RCPT TO", "",
     true},
    {"DATA -> CLOSE\n", "4.4.2 d lost connection with %s while sending DATA command",
     "", true},
    {"eom -> CLOSE\n",
     "4.4.2 d lost connection with %s while sending end of data -- message may be sent "
     "more than once",
     "", true},
    {"banner -> HANG\n",
     "4.4.2 d conversation with %s timed out while receiving the initial server "
     "greeting",
     "smtp_helo_timeout = 1s\n", true},
    {"MAIL -> HANG\n", "4.4.2 d conversation with %s timed out while sending MAIL FROM",
     "smtp_mail_timeout = 1s\n", true},
    {"RCPT -> HANG\n", "4.4.2 d conversation with %s timed out while sending RCPT TO",
     "smtp_rcpt_timeout = 1s\n", true},
    {"DATA -> HANG\n",
     "4.4.2 d conversation with %s timed out while sending DATA command",
     "smtp_data_init_timeout = 1s\n", true},
    {"eom -> HANG\n",
     "4.4.2 d conversation with %s timed out while sending end of data -- message may "
     "be "
     "sent more than once",
     "smtp_data_done_timeout = 1s\n", true},
    {"MAIL -> 550 5.1.7 bad sender\n",
     "5.1.7 b host %s said: 550 5.1.7 bad sender (in reply to MAIL FROM command)", "",
     false},
    {"MAIL -> 999 x\n", "5.5.0 b host %s said: 999 x (in reply to MAIL FROM command)",
     "", false},
    {"MAIL -> 550 4.4.4 mismatch\n",
     "5.0.0 b host %s said: 550 4.4.4 mismatch (in reply to MAIL FROM command)", "",
     false},
    {"MAIL -> 421 4.3.2 shutting down\n",
     "4.3.2 d host %s said: 421 4.3.2 shutting down (in reply to MAIL FROM command)",
     "", false},
    {"RCPT -> CLOSE 421 4.3.2 bye\n",
     "4.3.2 d host %s said: 421 4.3.2 bye (in reply to RCPT TO command)", "", false},
    {"RCPT -> 300 hm\n", "5.5.0 b host %s said: 300 hm (in reply to RCPT TO command)",
     "", false},
    {"RCPT -> 550-5.1.1 a\\n450 4.2.2 b\n",
     "4.2.2 d host %s said: 550-5.1.1 a 450 4.2.2 b (in reply to RCPT TO command)", "",
     false},
    {"RCPT -> 550-5.7.1 first line\\n550 5.7.1 second line\n",
     "5.7.1 b host %s said: 550-5.7.1 first line 550 5.7.1 second line (in reply to "
     "RCPT "
     "TO command)",
     "", false},
    {"RCPT -> garbage line\n",
     "5.5.0 b host %s said: garbage line 354 go ahead (in reply to RCPT TO command)",
     "", false},
    {"RCPT -> 5501 bad\n",
     "5.5.0 b host %s said: 5501 bad 354 go ahead (in reply to RCPT TO command)", "",
     false},
    {"DATA -> 250 hm\n",
     "5.5.0 b Protocol error: host %s said: 250 hm (in reply to DATA command)", "",
     false},
    {"DATA -> 450 4.5.5 not now\n",
     "4.5.5 d host %s said: 450 4.5.5 not now (in reply to DATA command)", "", false},
    {"eom -> 452 4.3.1 disk full\n",
     "4.3.1 d host %s said: 452 4.3.1 disk full (in reply to end of DATA command)", "",
     false},
    {"eom -> 354 hm\n",
     "5.5.0 b host %s said: 354 hm (in reply to end of DATA command)", "", false},
    {"eom -> 250\n", "2.0.0 s 250", "", false},
    {"EHLO -> 250-test\\n250-SIZE 10\\n250 PIPELINING\n",
     "5.3.4 b message size 20 exceeds size limit 10 of server %s", "", false},
};

static void test_endings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        struct world *world = world_new(endings[i].settings, "a@x.test");
        (void)serve(world, "127.0.0.1", endings[i].script);
        deliver(world, HOP);
        struct str expected = {0};
        struct view text = view_cstr(endings[i].outcome);
        size_t percent = view_index(text, '%');
        str_add(&expected, view_first(text, percent));
        str_add_cstr(&expected, percent < text.len ? PEER : "");
        str_add(&expected, view_from(text, percent + 2));
        assert_string_equal(outcome_text(world, 0), str_ptr(&expected));
        assert_int_equal(world->reply.site == DELIVER_SITE_DOWN, endings[i].site_down);
        assert_true(is_marked(world, 0) ==
                    (world->reply.outcomes[0].status == DELIVER_SENT));
        str_done(&expected);
        world_free(world);
    }
}

static void test_connection_refused(void **state)
{
    (void)state;
    struct world *world = world_new("", "a@x.test b@x.test");
    struct server *server = serve(world, "127.0.0.2", "");
    FD_AUTO int nobody = refuse(world, "127.0.0.1");
    assert_true(nobody >= 0);
    deliver(world, HOP);
    const char *text = outcome_text(world, 1);
    assert_true(view_starts(view_cstr(text), VIEW("4.4.1 d connect to " PEER ":")));
    assert_non_null(strstr(text, ": Connection refused"));
    assert_int_equal(world->reply.site, DELIVER_SITE_DOWN);
    assert_view_equal(world->reply.site_dsn, "4.4.1");
    assert_non_null(strstr(str_ptr(&world->log), "to=<a@x.test>, relay=none, "));
    assert_int_equal(server->sessions, 0);
    world_free(world);
}

/* After the recipients are gone nothing is sent, whatever the server says to DATA. */
static void test_nobody_accepted(void **state)
{
    (void)state;
    struct world *world = world_new("", "a@x.test");
    struct server *server = serve(world, "127.0.0.1", "RCPT -> 550 5.1.1 no\n");
    deliver(world, HOP);
    assert_string_equal(str_ptr(&server->content), "");
    assert_non_null(strstr(str_ptr(&server->commands), "DATA\nQUIT\n"));
    world_free(world);

    world = world_new("", "a@x.test");
    server = serve(world, "127.0.0.1", NO_PIPELINING "RCPT -> 550 5.1.1 no\n");
    deliver(world, HOP);
    assert_non_null(
        strstr(str_ptr(&server->commands), "RCPT TO:<a@x.test>\nRSET\nQUIT\n"));
    world_free(world);

    world = world_new("", "a@x.test");
    server = serve(world, "127.0.0.1", "DATA -> 550 5.5.5 no\n");
    deliver(world, HOP);
    assert_non_null(strstr(str_ptr(&server->commands), "DATA\nRSET\nQUIT\n"));
    world_free(world);
}

static void test_probe(void **state)
{
    (void)state;
    static const char *const scripts[] = {"RCPT TO:<bad -> 550 5.1.1 no\n",
                                          NO_PIPELINING
                                          "RCPT TO:<bad -> 550 5.1.1 no\n"};
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        struct world *world = world_new("", "bad@x.test good@x.test");
        struct server *server = serve(world, "127.0.0.1", scripts[i]);
        world->request.file_flags = QUEUE_FILE_VERIFY_ONLY;
        deliver(world, HOP);
        assert_non_null(
            strstr(str_ptr(&server->commands), "RCPT TO:<good@x.test>\nRSET\nQUIT\n"));
        assert_null(strstr(str_ptr(&server->commands), "DATA"));
        assert_string_equal(outcome_text(world, 1), "2.1.5 s 250 2.1.5 recipient fine");
        assert_false(is_marked(world, 1));
        assert_non_null(strstr(str_ptr(&world->log), "status=deliverable (250 2.1.5"));
        assert_non_null(strstr(str_ptr(&world->log), "status=undeliverable (host"));
        world_free(world);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    struct world *world = world_new("", "\xc3\xa9@x.test");
    (void)serve(world, "127.0.0.1", "");
    deliver(world, HOP);
    assert_string_equal(
        outcome_text(world, 0),
        "5.6.7 b SMTPUTF8 is required, but was not offered by host " PEER);
    world_free(world);

    world = world_new("", "\xc3\xa9@x.test");
    struct server *server =
        serve(world, "127.0.0.1", "EHLO -> 250-test\\n250 smtputf8\n");
    deliver(world, HOP);
    assert_non_null(strstr(str_ptr(&server->commands),
                           "MAIL FROM:<s@me.test> SMTPUTF8\n"
                           "RCPT TO:<\xc3\xa9@x.test>\n"));
    assert_int_equal(world->reply.outcomes[0].status, DELIVER_SENT);
    world_free(world);
}

/* Nothing in an address becomes a command of its own. */
static void test_injection(void **state)
{
    (void)state;
    struct world *world = world_new("", "a@x.test");
    struct server *server = serve(world, "127.0.0.1", "");
    world->recipients[0].dsn_orcpt = VIEW("rfc822\r\nX:;a\r\nY");
    deliver(world, HOP);
    world->recipients[0].address = VIEW("a\r\nRSET\r\n@x.test");
    world->recipients[0].dsn_orcpt = VIEW("rfc822;a\r\nY");
    str_clear(&server->commands);
    deliver(world, HOP);
    assert_null(strstr(str_ptr(&server->commands), "\nRSET"));
    assert_non_null(strstr(str_ptr(&server->commands), "ORCPT=rfc822;a+0D+0AY\n"));
    world_free(world);
}

static void test_damaged_message(void **state)
{
    (void)state;
    struct world *world = world_new("", "a@x.test");
    struct server *server = serve(world, "127.0.0.1", "");
    write_message(world, VIEW("Subject: x\n\nbody\n"));
    world->request.content_sum++;
    deliver(world, HOP);
    assert_true(world->reply.damaged);
    assert_int_equal(server->sessions, 0);
    world_free(world);
}

/* --- several servers ------------------------------------------------------------- */

#define ZONE                                                                           \
    "two.test A 127.0.0.1\ntwo.test A 127.0.0.2\nthree.test A 127.0.0.1\n"             \
    "three.test A 127.0.0.2\nthree.test A 127.0.0.3\none.test A 127.0.0.1\n"           \
    "other.test A 127.0.0.2\n"

static void use_zone(struct world *world, const char *zone)
{
    world->dns = test_dns_start(zone);
    assert_true(dns_set_servers(test_dns_servers(world->dns)));
}

/* Temporary trouble of any kind: the next address gets the message. */
static void test_next_address(void **state)
{
    (void)state;
    static const struct {
        const char *script, *logged;
    } rows[] = {
        {"RCPT -> 450 4.2.2 first\n", ": host two.test[127.0.0.1] said: 450 4.2.2 "
                                      "first (in reply to RCPT TO command)\n"},
        {"MAIL -> 451 4.3.0 mm\n", ": host two.test[127.0.0.1] said: 451 4.3.0 mm (in "
                                   "reply to MAIL FROM command)\n"},
        {"banner -> 554 no\n",
         ": host two.test[127.0.0.1] refused to talk to me: 554 no\n"},
        {"MAIL -> CLOSE\n",
         ": lost connection with two.test[127.0.0.1] while sending MAIL FROM\n"},
        {"eom -> 452 4.3.1 full\n",
         " said: 452 4.3.1 full (in reply to end of DATA command)\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_new("", "a@x.test b@x.test");
        use_zone(world, ZONE);
        (void)serve(world, "127.0.0.1", rows[i].script);
        struct server *second = serve(world, "127.0.0.2", "");
        deliver(world, "[two.test]:PORT");
        assert_string_equal(outcome_text(world, 0), "2.0.0 s 250 2.0.0 taken");
        assert_string_equal(outcome_text(world, 1), "2.0.0 s 250 2.0.0 taken");
        assert_non_null(strstr(str_ptr(&world->log), rows[i].logged));
        assert_non_null(strstr(str_ptr(&world->log), "relay=two.test[127.0.0.2]:"));
        assert_int_equal(second->sessions, 1);
        assert_int_equal(world->reply.site, DELIVER_SITE_OK);
        world_free(world);
    }
}

/* One recipient has its answer at the first server; only the other one is asked for at
 * the second. */
static void test_split_over_servers(void **state)
{
    (void)state;
    struct world *world = world_new("", "fine@x.test hard@x.test soft@x.test");
    use_zone(world, ZONE);
    (void)serve(world, "127.0.0.1",
                "RCPT TO:<soft -> 450 4.2.2 later\nRCPT TO:<hard -> 550 5.1.1 never\n");
    struct server *second = serve(world, "127.0.0.2", "eom -> 250 2.0.0 second\n");
    deliver(world, "[two.test]:PORT");
    assert_string_equal(outcome_text(world, 0), "2.0.0 s 250 2.0.0 taken");
    assert_int_equal(world->reply.outcomes[1].status, DELIVER_BOUNCED);
    assert_string_equal(outcome_text(world, 2), "2.0.0 s 250 2.0.0 second");
    assert_null(strstr(str_ptr(&second->commands), "fine@"));
    assert_null(strstr(str_ptr(&second->commands), "hard@"));
    world_free(world);
}

/* Sessions count, refused connections do not. */
static void test_session_limit(void **state)
{
    (void)state;
    struct world *world = world_new("smtp_mx_session_limit = 1\n", "a@x.test");
    use_zone(world, ZONE);
    struct server *second = serve(world, "127.0.0.2", "RCPT -> 450 4.2.2 later\n");
    struct server *third = serve(world, "127.0.0.3", "");
    FD_AUTO int nobody = refuse(world, "127.0.0.1");
    assert_true(nobody >= 0);
    deliver(world, "[three.test]:PORT");
    assert_string_equal(outcome_text(world, 0),
                        "4.2.2 d host three.test[127.0.0.2] said: 450 4.2.2 later (in "
                        "reply to RCPT TO command)");
    assert_int_equal(second->sessions, 1);
    assert_int_equal(third->sessions, 0);
    /* Another next hop starts anew. */
    deliver(world, "[three.test]:PORT, [other.test]:PORT");
    assert_int_equal(second->sessions, 3);
    world_free(world);
}

/* The last server cannot be reached: its trouble is the reason. */
static void test_last_unreachable(void **state)
{
    (void)state;
    struct world *world = world_new("", "a@x.test");
    use_zone(world, ZONE);
    (void)serve(world, "127.0.0.1", "RCPT -> 450 4.2.2 later\n");
    FD_AUTO int nobody = refuse(world, "127.0.0.2");
    assert_true(nobody >= 0);
    deliver(world, "[two.test]:PORT");
    assert_true(view_starts(view_cstr(outcome_text(world, 0)),
                            VIEW("4.4.1 d connect to two.test[127.0.0.2]:")));
    assert_int_equal(world->reply.site, DELIVER_SITE_DOWN);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_step_by_step),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_helo_fallback),
        cmocka_unit_test(test_ehlo_by_greeting),
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_nobody_accepted),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_injection),
        cmocka_unit_test(test_damaged_message),
        cmocka_unit_test(test_next_address),
        cmocka_unit_test(test_split_over_servers),
        cmocka_unit_test(test_session_limit),
        cmocka_unit_test(test_last_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
