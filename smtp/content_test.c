/* SPDX-License-Identifier: MIT */
/* The message on the wire, compared with a slow and simple translation. */
#include "smtp/test_world.h"

/* What should arrive, byte by byte. */
static void translate(struct view content, size_t limit, struct str *wire)
{
    size_t column = 0;
    for (size_t i = 0; i < content.len; i++) {
        char c = content.ptr[i];
        bool line_end = c == '\n';
        if (c == '\r') {
            line_end = i + 1 < content.len && content.ptr[i + 1] == '\n';
            i += line_end ? 1 : 0;
            /* A message that ends in a bare CR ends in a line end. */
            if (!line_end && i + 1 == content.len) {
                break;
            }
            c = ' ';
        }
        if (line_end) {
            str_add_cstr(wire, "\r\n");
            column = 0;
            continue;
        }
        if (limit > 0 && column == limit) {
            str_add_cstr(wire, "\r\n ");
            column = 1;
        }
        if (column == 0 && c == '.') {
            str_add_byte(wire, '.');
        }
        str_add_byte(wire, c);
        column++;
    }
    if (content.len > 0 && content.ptr[content.len - 1] != '\n') {
        str_add_cstr(wire, "\r\n");
    }
}

struct transfer {
    struct world *world;
    struct session session;
    struct delivery delivery;
    int peer;
    struct str received;
    enum content_result result;
};

static void receive_fiber(void *context)
{
    struct transfer *t = context;
    struct stream *peer = stream_new(t->peer);
    struct view data;
    while (stream_peek_some(peer, &data)) {
        str_add(&t->received, data);
        stream_consume(peer, data.len);
    }
    stream_free(&peer);
    task_stop();
}

static void send_fiber(void *context)
{
    struct transfer *t = context;
    t->result = content_send(&t->session);
    (void)stream_flush(t->session.stream);
    stream_free(&t->session.stream);
}

/* CONTENT as it arrives. */
static enum content_result transfer(const char *settings, struct view content,
                                    int64_t missing, struct str *received)
{
    int fds[2];
    struct world *world = world_new(settings, "a@x.test");
    struct transfer t = {.world = world};
    write_message(world, content);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    world->request.content_size += missing;
    t.delivery = (struct delivery){.smtp = &world->smtp, .request = &world->request};
    t.delivery.fd = queue_open(world->smtp.dirs, QUEUE_ACTIVE, world->id, O_RDONLY);
    t.session = (struct session){.delivery = &t.delivery, .stream = stream_new(fds[0])};
    t.peer = fds[1];
    (void)task_spawn("receive", receive_fiber, &t);
    (void)task_spawn("send", send_fiber, &t);
    task_run(false);
    str_set(received, str_view(&t.received));
    str_done(&t.received);
    fd_close(&t.delivery.fd);
    world_free(world);
    return t.result;
}

static void check(struct view content, size_t limit)
{
    struct str expected = {0};
    struct str received = {0};
    char settings[64];
    (void)snprintf(settings, sizeof(settings), "smtp_line_length_limit = %zu\n", limit);
    translate(content, limit, &expected);
    assert_int_equal(transfer(settings, content, 0, &received), CONTENT_SENT);
    assert_int_equal(received.len, expected.len);
    assert_memory_equal(str_ptr(&received), str_ptr(&expected), expected.len);
    str_done(&expected);
    str_done(&received);
}

static void test_small(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "",           "Subject: x\n\nbody\n", ".\n..\n.x\n", "no end",       ".",
        "a\rb\n",     "crlf\r\n.\r\n",        "a\r\r\nb\n",  "ends in cr\r", "\r\n\r\n",
        "\n.\n\n.\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        check(view_cstr(contents[i]), 998);
    }
    check(VIEW("nul \0 byte\n"), 998);
}

static void test_exact_bytes(void **state)
{
    (void)state;
    struct str received = {0};
    (void)transfer("", VIEW("..a\n.b\rc\r\nd"), 0, &received);
    assert_string_equal(str_ptr(&received), "...a\r\n..b c\r\nd\r\n");
    str_done(&received);
}

static void test_long_lines(void **state)
{
    (void)state;
    struct str content = {0};
    for (size_t len = 1; len < 50; len++) {
        for (size_t i = 0; i < len; i++) {
            str_add_byte(&content, i % 7 == 3 ? '.' : (char)('a' + i % 26));
        }
        str_add_byte(&content, '\n');
    }
    static const size_t limits[] = {0, 2, 3, 10, 40};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        check(str_view(&content), limits[i]);
    }
    str_done(&content);
}

/* Every special byte around the border between two reads of the file. */
static void test_chunk_borders(void **state)
{
    (void)state;
    enum { CHUNK = 64 * 1024 };
    static const char *const specials[] = {"\n.x",     "\r\n.x", "\r\n\r\n", "x\r.y",
                                           "\n.\n.\n", "\r\r\n", ".\r\n."};
    for (size_t k = 0; k < ARRAY_SIZE(specials); k++) {
        for (size_t shift = 0; shift <= strlen(specials[k]); shift++) {
            struct str content = {0};
            while (content.len < CHUNK - shift) {
                size_t left = CHUNK - shift - content.len;
                bool line_end = content.len % 80 == 79 && left > 3;
                str_add_byte(&content, line_end ? '\n' : 'x');
            }
            str_add_cstr(&content, specials[k]);
            str_add_cstr(&content, "tail\n");
            check(str_view(&content), 998);
            str_done(&content);
        }
    }
}

/* A long line that goes over several reads. */
static void test_huge_line(void **state)
{
    (void)state;
    struct str content = {0};
    for (int i = 0; i < 300000; i++) {
        str_add_byte(&content, (char)('a' + i % 26));
    }
    check(str_view(&content), 998);
    check(str_view(&content), 0);
    str_done(&content);
}

/* The end of the message is never made up. */
static void test_short_file(void **state)
{
    (void)state;
    struct str received = {0};
    assert_int_equal(transfer("", VIEW("Subject: x\n\nbody\n"), 100, &received),
                     CONTENT_UNREADABLE);
    str_done(&received);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),      cmocka_unit_test(test_exact_bytes),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_chunk_borders),
        cmocka_unit_test(test_huge_line),  cmocka_unit_test(test_short_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
