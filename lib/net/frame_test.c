/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "net/frame.h"
#include "sys/file.h"
#include "task/task.h"

enum { KIND = 7 };

static void make_pair(struct stream **a, struct stream **b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *a = stream_new(fds[0]);
    *b = stream_new(fds[1]);
}

/* A stream that receives BYTES, then the end. */
static struct stream *stream_with(struct view bytes)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_true(file_write_all(fds[1], bytes.ptr, bytes.len));
    close(fds[1]);
    return stream_new(fds[0]);
}

static void build(struct str *frame)
{
    frame_begin(frame, KIND);
    frame_put_u8(frame, 200);
    frame_put_u64(frame, UINT64_MAX - 1);
    frame_put_view(frame, view_of("a\0b", 3));
    frame_put_cstr(frame, "");
    frame_put_cstr(frame, "end");
}

static bool read_built(struct frame_reader *reader)
{
    bool same = frame_get_u8(reader) == 200;
    same = frame_get_u64(reader) == UINT64_MAX - 1 && same;
    same = view_equal(frame_get_view(reader), view_of("a\0b", 3)) && same;
    same = frame_get_view(reader).len == 0 && same;
    same = view_equal_cstr(frame_get_view(reader), "end") && same;
    return frame_reader_ok(reader) && same;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct stream *a, *b;
    make_pair(&a, &b);
    STR_AUTO struct str frame = {0};
    for (int i = 0; i < 3; i++) {
        build(&frame);
        assert_true(frame_send(a, &frame));
    }
    assert_true(stream_flush(a));
    for (int i = 0; i < 3; i++) {
        uint8_t kind;
        struct frame_reader reader;
        assert_true(frame_receive(b, &kind, &reader));
        assert_int_equal(kind, KIND);
        assert_true(read_built(&reader));
    }
    stream_free(&a);
    uint8_t kind;
    struct frame_reader reader;
    assert_false(frame_receive(b, &kind, &reader));
    assert_int_equal(stream_state(b), STREAM_EOF);
    stream_free(&b);
}

static void test_fields_cut_at_every_byte(void **state)
{
    (void)state;
    STR_AUTO struct str frame = {0};
    build(&frame);
    struct view fields = view_from(str_view(&frame), 5);
    for (size_t len = 0; len <= fields.len; len++) {
        STR_AUTO struct str exact = {0};
        str_add(&exact, view_first(fields, len));
        struct frame_reader reader;
        frame_reader_init(&reader, str_view(&exact));
        assert_int_equal(read_built(&reader), len == fields.len);
    }
}

static void test_stream_cut_at_every_byte(void **state)
{
    (void)state;
    STR_AUTO struct str frame = {0};
    build(&frame);
    uint32_t len = (uint32_t)(frame.len - 4);
    memcpy(frame.ptr, &len, sizeof(len));
    for (size_t cut = 0; cut <= frame.len; cut++) {
        struct stream *stream = stream_with(view_first(str_view(&frame), cut));
        uint8_t kind;
        struct frame_reader reader;
        bool got = frame_receive(stream, &kind, &reader);
        assert_int_equal(got, cut == frame.len);
        assert_int_equal(stream_state(stream), got ? STREAM_OK : STREAM_EOF);
        stream_free(&stream);
    }
}

static void test_left_over(void **state)
{
    (void)state;
    struct frame_reader reader;
    frame_reader_init(&reader, VIEW("ab"));
    assert_int_equal(frame_get_u8(&reader), 'a');
    assert_false(frame_reader_ok(&reader));
    assert_int_equal(frame_get_u8(&reader), 'b');
    assert_true(frame_reader_ok(&reader));
    assert_int_equal(frame_get_u8(&reader), 0);
    assert_false(frame_reader_ok(&reader));
}

static void test_length_that_lies(void **state)
{
    (void)state;
    static const struct {
        uint32_t len;
        int error;
    } cases[] = {{0, EPROTO}, {FRAME_MAX_BYTES + 1, EMSGSIZE}, {UINT32_MAX, EMSGSIZE}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct stream *stream = stream_with(view_of((const char *)&cases[i].len, 4));
        uint8_t kind;
        struct frame_reader reader;
        assert_false(frame_receive(stream, &kind, &reader));
        assert_int_equal(stream_state(stream), STREAM_ERROR);
        assert_int_equal(stream_errno(stream), cases[i].error);
        stream_free(&stream);
    }
    struct frame_reader reader;
    frame_reader_init(&reader, view_of("\xf0\xff\xff\xff"
                                       "abc",
                                       7));
    assert_int_equal(frame_get_view(&reader).len, 0);
    assert_false(frame_reader_ok(&reader));
}

static void test_too_large_to_send(void **state)
{
    (void)state;
    struct stream *a, *b;
    make_pair(&a, &b);
    STR_AUTO struct str frame = {0};
    STR_AUTO struct str big = {0};
    assert_non_null(str_reserve(&big, FRAME_MAX_BYTES));
    memset(big.ptr, 'x', FRAME_MAX_BYTES);
    str_commit(&big, FRAME_MAX_BYTES);
    frame_begin(&frame, KIND);
    frame_put_view(&frame, str_view(&big));
    assert_false(frame_send(a, &frame));
    assert_false(frame_send_data(a, KIND, str_view(&big)));
    assert_true(stream_ok(a));
    frame_begin(&frame, KIND); /* the string can be used again */
    assert_true(frame_send_now(a, &frame));
    stream_free(&a);
    stream_free(&b);
}

enum { DATA_BYTES = 3000000 };

static void send_much(void *context)
{
    struct stream *stream = context;
    STR_AUTO struct str data = {0};
    for (int i = 0; i < DATA_BYTES; i++) {
        str_add_byte(&data, (char)(i * 31));
    }
    STR_AUTO struct str frame = {0};
    build(&frame);
    assert_true(frame_send(stream, &frame));
    assert_true(frame_send_data(stream, KIND + 1, str_view(&data)));
    assert_true(frame_send_data(stream, KIND + 2, VIEW("")));
    assert_true(stream_flush(stream));
}

static void receive_much(void *context)
{
    struct stream *stream = context;
    uint8_t kind;
    struct frame_reader reader;
    assert_true(frame_receive(stream, &kind, &reader));
    assert_true(read_built(&reader));
    assert_true(frame_receive(stream, &kind, &reader));
    assert_int_equal(kind, KIND + 1);
    struct view data = frame_get_view(&reader);
    assert_int_equal(data.len, DATA_BYTES);
    for (int i = 0; i < DATA_BYTES; i++) {
        CHECK(data.ptr[i] == (char)(i * 31));
    }
    assert_true(frame_reader_ok(&reader));
    assert_true(frame_receive(stream, &kind, &reader));
    assert_int_equal(frame_get_view(&reader).len, 0);
    assert_true(frame_reader_ok(&reader));
}

static void test_large_data(void **state)
{
    (void)state;
    struct stream *a, *b;
    make_pair(&a, &b);
    task_init();
    (void)task_spawn("send", send_much, a);
    (void)task_spawn("receive", receive_much, b);
    task_run(true);
    stream_free(&a);
    stream_free(&b);
    task_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_fields_cut_at_every_byte),
        cmocka_unit_test(test_stream_cut_at_every_byte),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_length_that_lies),
        cmocka_unit_test(test_too_large_to_send),
        cmocka_unit_test(test_large_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
