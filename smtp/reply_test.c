/* SPDX-License-Identifier: MIT */
/* What servers say, the worst of them included. */
#include "smtp/test_world.h"

/* A session whose server has said TEXT and left. */
struct talk {
    struct session session;
    struct delivery delivery;
    struct deliver_request request;
    struct arena arena;
    int peer;
};

static void talk_begin(struct talk *talk, struct view text)
{
    int fds[2];
    int size = 4 * 1024 * 1024;
    *talk = (struct talk){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    (void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    assert_true(file_write_all(fds[1], text.ptr, text.len));
    talk->peer = fds[1];
    talk->request.queue_id = VIEW("ABCDEF");
    talk->delivery.arena = &talk->arena;
    talk->delivery.request = &talk->request;
    talk->session.delivery = &talk->delivery;
    talk->session.timeout = 100 * CLOCK_MILLISECOND;
    talk->session.stream = stream_new(fds[0]);
    (void)snprintf(talk->session.relay, sizeof(talk->session.relay), "h[1.2.3.4]:25");
}

static void talk_end(struct talk *talk)
{
    stream_free(&talk->session.stream);
    fd_close(&talk->peer);
    arena_clear(&talk->arena);
}

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        int code;
        const char *dsn, *text;
    } rows[] = {
        {"250 ok\r\n", 250, "2.0.0", "250 ok"},
        {"250 ok\n", 250, "2.0.0", "250 ok"},
        {"250\r\n", 250, "2.0.0", "250"},
        {"250 \r\n", 250, "2.0.0", "250 "},
        {"250 2.1.5 ok\r\n", 250, "2.1.5", "250 2.1.5 ok"},
        {"550 5.1.1\r\n", 550, "5.1.1", "550 5.1.1"},
        {"550 4.1.1 x\r\n", 550, "5.0.0", "550 4.1.1 x"},
        {"550 5.1.1x\r\n", 550, "5.0.0", "550 5.1.1x"},
        {"550 5.12345.1 x\r\n", 550, "5.0.0", "550 5.12345.1 x"},
        {"450 4.999.999 x\r\n", 450, "4.999.999", "450 4.999.999 x"},
        {"250-a\r\n250-b\r\n250 c\r\n", 250, "2.0.0", "250-a 250-b 250 c"},
        {"250-5.7.1 a\r\n550 5.7.2 c\r\n", 550, "5.7.2", "250-5.7.1 a 550 5.7.2 c"},
        {"550-\r\n550 x\r\n", 550, "5.0.0", "550- 550 x"},
        {"550 a\x01\x7f\tb\r\n", 550, "5.0.0", "550 a???b"},
        {"999 x\r\n", 999, "9.0.0", "999 x"},
        {"noise\r\n250 ok\r\n", 0, "5.5.0", "noise 250 ok"},
        {"\r\n250 ok\r\n", 0, "5.5.0", "250 ok"},
        {"25 ok\r\n250 ok\r\n", 0, "5.5.0", "25 ok 250 ok"},
        {"250ok\r\n250 ok\r\n", 0, "5.5.0", "250ok 250 ok"},
        {"2500 ok\r\n250 ok\r\n", 0, "5.5.0", "2500 ok 250 ok"},
        {"250-a\r\nxyz\r\n250 b\r\n", 0, "5.5.0", "250-a xyz 250 b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct talk talk;
        struct smtp_reply reply;
        talk_begin(&talk, view_cstr(rows[i].wire));
        assert_true(reply_read(&talk.session, false, &reply));
        assert_int_equal(reply.code, rows[i].code);
        assert_string_equal(reply.dsn, rows[i].dsn);
        assert_view_equal(reply.text, rows[i].text);
        assert_true(talk.session.confused == (rows[i].code == 0));
        talk_end(&talk);
    }
}

/* Before the greeting there may be noise. */
static void test_greeting(void **state)
{
    (void)state;
    struct talk talk;
    struct smtp_reply reply;
    talk_begin(&talk, VIEW("hello\r\n\r\n220-a\r\n***\r\n220 b\r\n"));
    assert_true(reply_read(&talk.session, true, &reply));
    assert_int_equal(reply.code, 220);
    assert_view_equal(reply.text, "220-a 220 b");
    assert_false(talk.session.broken);
    talk_end(&talk);
}

static void test_several(void **state)
{
    (void)state;
    struct talk talk;
    struct smtp_reply reply;
    talk_begin(&talk, VIEW("250 a\r\n250-b\r\n250 c\r\n354 d\r\n"));
    for (size_t i = 0; i < 3; i++) {
        static const char *const texts[] = {"250 a", "250-b 250 c", "354 d"};
        assert_true(reply_read(&talk.session, false, &reply));
        assert_view_equal(reply.text, texts[i]);
    }
    assert_false(reply_read(&talk.session, false, &reply));
    assert_true(talk.session.broken);
    talk_end(&talk);
}

/* Cut off at every byte: never a reply, never more than is there. */
static void test_cut_off(void **state)
{
    (void)state;
    struct view whole =
        VIEW("250-first line\r\n250-2.0.0 second\r\n250 2.0.0 third\r\n");
    for (size_t len = 0; len < whole.len; len++) {
        struct talk talk;
        struct smtp_reply reply;
        talk_begin(&talk, view_first(whole, len));
        assert_int_equal(shutdown(talk.peer, SHUT_WR), 0);
        bool got = reply_read(&talk.session, false, &reply);
        /* All but the last line end is a whole line for a stream that ended. */
        assert_false(got);
        assert_true(talk.session.broken);
        talk_end(&talk);
    }
}

/* A line above the limit is cut; what belongs to it is no line of its own. */
static void test_long_lines(void **state)
{
    (void)state;
    struct talk talk;
    struct smtp_reply reply;
    struct str wire = {0};
    str_add_cstr(&wire, "250-");
    for (int i = 0; i < 5000; i++) {
        str_add_cstr(&wire, "550 x");
    }
    str_add_cstr(&wire, "\r\n250 end\r\n");
    talk_begin(&talk, str_view(&wire));
    assert_true(reply_read(&talk.session, false, &reply));
    assert_int_equal(reply.code, 250);
    assert_true(view_ends_nocase(reply.text, VIEW(" 250 end")));
    assert_int_equal(reply.text.len, 2048 + strlen(" 250 end"));
    talk_end(&talk);

    str_set_cstr(&wire, "250 ");
    for (int i = 0; i < 200000; i++) {
        str_add_cstr(&wire, "12345");
    }
    str_add_cstr(&wire, "\r\n250 next\r\n");
    talk_begin(&talk, str_view(&wire));
    assert_true(reply_read(&talk.session, false, &reply));
    assert_int_equal(reply.text.len, 2048);
    assert_true(reply_read(&talk.session, false, &reply));
    assert_view_equal(reply.text, "250 next");
    talk_end(&talk);
    str_done(&wire);
}

/* Lines without end. */
static void test_endless(void **state)
{
    (void)state;
    static const char *const lines[] = {"250-more\r\n", "noise\r\n", "\r\n"};
    for (size_t k = 0; k < ARRAY_SIZE(lines); k++) {
        struct talk talk;
        struct smtp_reply reply;
        struct str wire = {0};
        for (int i = 0; i < 10000; i++) {
            str_add_cstr(&wire, lines[k]);
        }
        talk_begin(&talk, str_view(&wire));
        assert_false(reply_read(&talk.session, k == 1, &reply));
        assert_true(talk.session.broken);
        str_done(&wire);
        talk_end(&talk);
    }
}

/* Many long lines: the text is bounded. */
static void test_bounded_text(void **state)
{
    (void)state;
    struct talk talk;
    struct smtp_reply reply;
    struct str wire = {0};
    for (int i = 0; i < 150; i++) {
        str_printf(&wire, "250-%01000d\r\n", i);
    }
    str_add_cstr(&wire, "250 2.0.0 end\r\n");
    talk_begin(&talk, str_view(&wire));
    assert_true(reply_read(&talk.session, false, &reply));
    assert_int_equal(reply.code, 250);
    assert_true(reply.text.len <= 17 * 1024);
    talk_end(&talk);
    str_done(&wire);
}

static void test_nul_bytes(void **state)
{
    (void)state;
    struct talk talk;
    struct smtp_reply reply;
    talk_begin(&talk, VIEW("250 a\0b\r\n"));
    assert_true(reply_read(&talk.session, false, &reply));
    assert_view_equal(reply.text, "250 a?b");
    talk_end(&talk);
}

/* One byte now and then: the step's time is over all the same. */
static void drip(void *context)
{
    const int *peer = context;
    for (int i = 0; i < 1000; i++) {
        if (send(*peer, "2", 1, MSG_NOSIGNAL) != 1) {
            break;
        }
        (void)task_sleep_until(clock_now() + 20 * CLOCK_MILLISECOND);
    }
}

static void read_fiber(void *context)
{
    struct talk *talk = context;
    struct smtp_reply reply;
    int64_t begin = clock_now();
    stream_set_timeout(talk->session.stream, talk->session.timeout);
    assert_false(reply_read(&talk->session, false, &reply));
    assert_int_equal(stream_state(talk->session.stream), STREAM_TIMEOUT);
    assert_true(clock_now() - begin < 2 * CLOCK_SECOND);
    task_stop();
}

static void test_dripping(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, VIEW("25"));
    task_init();
    (void)task_spawn("reader", read_fiber, &talk);
    (void)task_spawn("drip", drip, &talk.peer);
    task_run(false);
    stream_free(&talk.session.stream);
    task_run(true);
    task_done();
    talk_end(&talk);
}

int main(void)
{
    log_set_stderr(false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),      cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_several),      cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_long_lines),   cmocka_unit_test(test_endless),
        cmocka_unit_test(test_bounded_text), cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_dripping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
