/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "net/stream.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"

static void make_pair(struct stream **a, struct stream **b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *a = stream_new(fds[0]);
    *b = stream_new(fds[1]);
}

/* Run the two functions as fibers. */
static void run_two(void (*first)(void *), void *a, void (*second)(void *), void *b)
{
    task_init();
    (void)task_spawn("first", first, a);
    (void)task_spawn("second", second, b);
    task_run(true);
    task_done();
}

/* --- input cut as the test says ------------------------------------------------- */

/* A filter that gives TEXT in pieces: the first of FIRST bytes, then of STEP bytes. */
struct script {
    struct view text;
    size_t first, step;
    unsigned closed;
};

static long script_read(void *context, void *data, size_t len, unsigned *events)
{
    (void)events;
    struct script *script = context;
    size_t take = script->first > 0 ? script->first : script->step;
    script->first = 0;
    take = take < script->text.len ? take : script->text.len;
    take = take < len ? take : len;
    if (take > 0) {
        memcpy(data, script->text.ptr, take);
        script->text = view_from(script->text, take);
    }
    return (long)take;
}

static long script_write(void *context, const void *data, size_t len, unsigned *events)
{
    (void)context;
    (void)data;
    (void)events;
    return len > 3 ? 3 : (long)len;
}

static void script_close(void *context)
{
    ((struct script *)context)->closed++;
}

static struct stream *script_stream(struct script *script)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    struct stream *stream = stream_new(fd);
    stream_set_filter(stream, &(struct stream_filter){.context = script,
                                                      .read = script_read,
                                                      .write = script_write,
                                                      .close = script_close});
    return stream;
}

/* --- lines ------------------------------------------------------------------------ */

/* Lines as "text<" with LF, "text|" without. */
static void read_lines(struct stream *stream, size_t max, struct str *out)
{
    struct view line;
    bool had_lf;
    while (stream_read_line(stream, max, &line, &had_lf)) {
        str_add(out, line);
        str_add_byte(out, had_lf ? '<' : '|');
    }
}

struct line_case {
    struct view text;
    size_t max;
    struct view lines;
};

static const struct line_case line_cases[] = {
    {VIEW("one\ntwo\r\nthree\n"), 100, VIEW("one<two<three<")},
    {VIEW("\n\r\n\n"), 100, VIEW("<<<")},
    {VIEW("no end"), 100, VIEW("no end|")},
    {VIEW("cr at end\r"), 100, VIEW("cr at end\r|")},
    {VIEW("a\rb\r\r\nc\n"), 100, VIEW("a\rb\r<c<")},
    {VIEW("nul\0in\0side\r\n\0\n"), 100, VIEW("nul\0in\0side<\0<")},
    {VIEW(""), 100, VIEW("")},
    /* Around the limit. */
    {VIEW("abc\n"), 3, VIEW("abc<")},
    {VIEW("abc\r\nd\n"), 3, VIEW("abc<d<")},
    {VIEW("abcd\n"), 3, VIEW("abc|d<")},
    {VIEW("abcd\r\n"), 3, VIEW("abc|d<")},
    {VIEW("abc\r"), 3, VIEW("abc|")},
    {VIEW("abc\rd\n"), 3, VIEW("abc|\rd<")},
    {VIEW("abc\r\r\n"), 3, VIEW("abc|\r<")},
    {VIEW("abcdefghij"), 3, VIEW("abc|def|ghi|j|")},
    {VIEW("ab\r\n\r\n"), 1, VIEW("a|b<<")},
    {VIEW("abcdef\n"), 6, VIEW("abcdef<")},
};

static void check_lines(const struct line_case *c, size_t first, size_t step)
{
    struct script script = {.text = c->text, .first = first, .step = step};
    struct stream *stream = script_stream(&script);
    STR_AUTO struct str lines = {0};
    read_lines(stream, c->max, &lines);
    assert_int_equal(lines.len, c->lines.len);
    assert_memory_equal(str_ptr(&lines), c->lines.ptr, lines.len);
    assert_int_equal(stream_state(stream), STREAM_EOF);
    assert_int_equal(stream_errno(stream), 0);
    stream_free(&stream);
    assert_int_equal(script.closed, 1);
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(line_cases); i++) {
        const struct line_case *c = &line_cases[i];
        check_lines(c, 0, 1);
        check_lines(c, 0, 2);
        for (size_t first = 1; first <= c->text.len; first++) {
            check_lines(c, first, c->text.len + 1);
        }
    }
}

enum { MEGABYTE = 1000000 };

static void test_long_line(void **state)
{
    (void)state;
    STR_AUTO struct str text = {0};
    for (int i = 0; i < MEGABYTE; i++) {
        str_add_byte(&text, (char)('a' + i % 26));
    }
    str_add(&text, VIEW("\r\nnext\r\n"));
    static const size_t maxima[] = {1, 998, 4096, MEGABYTE - 1, MEGABYTE, 2 * MEGABYTE};
    for (size_t i = 0; i < ARRAY_SIZE(maxima); i++) {
        struct script script = {.text = str_view(&text), .step = 5000};
        struct stream *stream = script_stream(&script);
        struct view line;
        bool had_lf = false;
        size_t at = 0;
        while (!had_lf && stream_read_line(stream, maxima[i], &line, &had_lf)) {
            CHECK(line.len <= maxima[i] &&
                  memcmp(line.ptr, text.ptr + at, line.len) == 0);
            at += line.len;
        }
        assert_int_equal(at, MEGABYTE);
        assert_true(stream_read_line(stream, 4, &line, &had_lf));
        assert_view_equal(line, "next");
        stream_free(&stream);
    }
}

/* --- other reads --------------------------------------------------------------------
 */

static void test_read_exact(void **state)
{
    (void)state;
    static const struct view text = VIEW("0123456789abcdef");
    for (size_t first = 1; first <= text.len; first++) {
        struct script script = {.text = text, .first = first, .step = 5};
        struct stream *stream = script_stream(&script);
        struct view data;
        assert_true(stream_read_exact(stream, 0, &data));
        assert_int_equal(data.len, 0);
        assert_true(stream_read_exact(stream, 4, &data));
        assert_view_equal(data, "0123");
        assert_true(stream_read_exact(stream, 10, &data));
        assert_view_equal(data, "456789abcd");
        assert_false(stream_read_exact(stream, 3, &data));
        assert_int_equal(data.len, 0);
        assert_int_equal(stream_state(stream), STREAM_EOF);
        assert_int_equal(stream_pending(stream), 0);
        stream_free(&stream);
    }
}

static void test_peek_and_discard(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct view data;
    make_pair(&a, &b);
    assert_false(stream_readable_now(b));
    stream_write_cstr(a, "hello\nworld");
    assert_false(stream_readable_now(b)); /* not flushed yet */
    assert_true(stream_flush(a));
    assert_true(stream_readable_now(b));
    assert_int_equal(stream_pending(b), 0);
    assert_true(stream_peek_some(b, &data));
    assert_view_equal(data, "hello\nworld");
    stream_consume(b, 6);
    assert_int_equal(stream_pending(b), 5);
    assert_true(stream_peek_some(b, &data));
    assert_view_equal(data, "world");
    stream_trim(b); /* must keep what was not read */
    assert_int_equal(stream_pending(b), 5);
    stream_discard_input(b);
    assert_int_equal(stream_pending(b), 0);
    assert_false(stream_readable_now(b));
    stream_trim(b);
    stream_write_cstr(a, "x\n");
    assert_true(stream_flush(a));
    stream_trim(a);
    assert_true(stream_read_line(b, 10, &data, NULL));
    assert_view_equal(data, "x");
    stream_free(&a);
    assert_true(stream_readable_now(b)); /* the end does not wait */
    assert_false(stream_peek_some(b, &data));
    assert_string_equal(stream_problem(b), "lost connection");
    stream_free(&b);
    stream_free(&b);
}

/* --- trouble
 * -------------------------------------------------------------------------- */

static void read_until_timeout(void *context)
{
    struct stream *stream = context;
    struct view line;
    int64_t start = clock_now();
    stream_set_timeout(stream, 20 * CLOCK_MILLISECOND);
    assert_false(stream_read_line(stream, 100, &line, NULL));
    assert_true(clock_now() - start >= 20 * CLOCK_MILLISECOND);
    assert_int_equal(stream_state(stream), STREAM_TIMEOUT);
    assert_string_equal(stream_problem(stream), "Connection timed out");
    /* Sticky. */
    stream_write_cstr(stream, "lost");
    assert_false(stream_flush(stream));
    assert_false(stream_read_line(stream, 100, &line, NULL));
    /* A farewell. */
    stream_clear_timeout(stream);
    stream_write_cstr(stream, "421 bye\r\n");
    assert_true(stream_flush(stream));
}

/* --- sockets that gave all they had ---------------------------------------------- */

static void drained_reader(void *context)
{
    struct stream *b = context;
    struct view line;
    assert_true(stream_read_line(b, 100, &line, NULL));
    assert_true(view_equal_cstr(line, "one"));
    assert_true(stream_read_line(b, 100, &line, NULL)); /* comes later */
    assert_true(view_equal_cstr(line, "two"));
    /* The end came together with the last line: no edge of its own will tell. */
    assert_true(stream_read_line(b, 100, &line, NULL));
    assert_true(view_equal_cstr(line, "three"));
    assert_false(stream_read_line(b, 100, &line, NULL));
    assert_int_equal(stream_state(b), STREAM_EOF);
    stream_free(&b);
}

static void drained_writer(void *context)
{
    int fd = *(int *)context;
    static const char *const lines[] = {"one\n", "two\n", "three\n"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        (void)task_sleep_until(clock_now() + 5 * CLOCK_MILLISECOND);
        assert_true(file_write_all(fd, lines[i], strlen(lines[i])));
    }
    assert_int_equal(close(fd), 0);
}

/* One line, and then nothing: the time-out is what was asked for, not more. */
static void late_reader(void *context)
{
    struct stream *b = context;
    struct view line;
    stream_set_timeout(b, 1300 * CLOCK_MILLISECOND);
    assert_true(stream_read_line(b, 100, &line, NULL));
    int64_t before = clock_now();
    assert_false(stream_read_line(b, 100, &line, NULL));
    assert_int_equal(stream_state(b), STREAM_TIMEOUT);
    assert_in_range(clock_now() - before, 1300 * CLOCK_MILLISECOND,
                    2200 * CLOCK_MILLISECOND);
    stream_free(&b);
}

static void late_writer(void *context)
{
    (void)task_sleep_until(clock_now() + 5 * CLOCK_MILLISECOND);
    assert_true(file_write_all(*(int *)context, "one\n", 4));
}

static void test_drained_timeout(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    task_init();
    (void)task_spawn("reader", late_reader, stream_new(fds[1]));
    (void)task_spawn("writer", late_writer, &fds[0]);
    task_run(true);
    task_done();
    assert_int_equal(close(fds[0]), 0);
}

static void test_drained(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    task_init();
    struct stream *b = stream_new(fds[1]);
    (void)task_spawn("reader", drained_reader, b);
    (void)task_spawn("writer", drained_writer, &fds[0]);
    task_run(true);
    task_done();
}

static void test_timeout(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct view line;
    make_pair(&a, &b);
    stream_write_cstr(a, "half a line");
    assert_true(stream_flush(a));
    read_until_timeout(b); /* outside a fiber */
    assert_true(stream_read_line(a, 100, &line, NULL));
    assert_view_equal(line, "421 bye");

    task_init();
    (void)task_spawn("reader", read_until_timeout, b);
    task_run(true);
    assert_true(stream_read_line(a, 100, &line, NULL));
    assert_view_equal(line, "421 bye");
    stream_free(&a);
    stream_free(&b);
    task_done();
}

/* A byte every few milliseconds keeps the time-out away, not the deadline. */
static void drip(void *context)
{
    struct stream *stream = context;
    while (stream_ok(stream)) {
        stream_write_cstr(stream, "x");
        (void)stream_flush(stream);
        (void)task_sleep_until(clock_now() + 2 * CLOCK_MILLISECOND);
    }
}

static void read_until_deadline(void *context)
{
    struct stream *stream = context;
    struct view line;
    int64_t deadline = clock_now() + 50 * CLOCK_MILLISECOND;
    stream_set_timeout(stream, 5 * CLOCK_SECOND);
    stream_set_deadline(stream, deadline);
    assert_false(stream_read_line(stream, 100000, &line, NULL));
    assert_int_equal(stream_state(stream), STREAM_TIMEOUT);
    assert_in_range(clock_now() - deadline, 0, 3 * CLOCK_SECOND);
    stream_free(&stream);
}

static void test_deadline(void **state)
{
    (void)state;
    struct stream *a, *b;
    make_pair(&a, &b);
    run_two(drip, a, read_until_deadline, b);
    assert_int_equal(stream_state(a), STREAM_EOF);
    assert_int_equal(stream_errno(a), EPIPE);
    stream_free(&a);
}

static void write_until_timeout(void *context)
{
    struct stream *stream = context;
    char block[1000] = {0};
    stream_set_timeout(stream, 20 * CLOCK_MILLISECOND);
    while (stream_ok(stream)) {
        stream_write(stream, view_of(block, sizeof(block)));
    }
    assert_int_equal(stream_state(stream), STREAM_TIMEOUT);
}

static void test_write_timeout(void **state)
{
    (void)state;
    struct stream *a, *b;
    make_pair(&a, &b);
    write_until_timeout(a);
    stream_clear_timeout(a);
    task_init();
    (void)task_spawn("writer", write_until_timeout, a);
    task_run(true);
    stream_free(&a);
    stream_free(&b);
    task_done();
}

static void read_cancelled(void *context)
{
    struct stream *stream = context;
    struct view line;
    assert_false(stream_read_line(stream, 100, &line, NULL));
    assert_int_equal(stream_state(stream), STREAM_CANCELLED);
    stream_clear_timeout(stream);
    stream_write_cstr(stream, "421 going down\n");
    assert_true(stream_flush(stream));
}

static void test_cancel(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct view line;
    make_pair(&a, &b);
    task_init();
    struct fiber *fiber = task_spawn("reader", read_cancelled, b);
    task_cancel(fiber);
    task_run(true);
    assert_true(stream_read_line(a, 100, &line, NULL));
    assert_view_equal(line, "421 going down");
    stream_free(&a);
    stream_free(&b);
    task_done();
}

static void test_peer_gone(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct view line;
    make_pair(&a, &b);
    stream_write_cstr(b, "last words\n");
    assert_true(stream_flush(b));
    stream_free(&b);
    /* Would be SIGPIPE with write(2). */
    stream_write_cstr(a, "x");
    assert_false(stream_flush(a));
    assert_int_equal(stream_state(a), STREAM_EOF);
    assert_int_equal(stream_errno(a), EPIPE);
    assert_false(stream_read_line(a, 100, &line, NULL));
    stream_free(&a);
}

static void test_fail(void **state)
{
    (void)state;
    struct stream *a, *b;
    make_pair(&a, &b);
    stream_fail(a, EPROTO);
    stream_fail(a, EIO); /* the first reason stays */
    assert_int_equal(stream_errno(a), EPROTO);
    assert_string_equal(stream_problem(a), "Protocol error");
    stream_clear_timeout(a);
    assert_false(stream_ok(a));
    stream_free(&a);
    stream_free(&b);
}

/* --- writing -------------------------------------------------------------------------
 */

/* Sizes around the buffer's limits, each byte following from its offset. */
static const size_t write_sizes[] = {1,     511,    4095, 4096,  4097,  32767, 32768,
                                     32769, 100000, 1,    65536, 12345, 1,     2000000};

static char byte_at(size_t offset)
{
    return (char)(offset * 7 + (offset >> 8));
}

static void write_sizes_out(void *context)
{
    struct stream *stream = context;
    size_t offset = 0;
    for (size_t i = 0; i < ARRAY_SIZE(write_sizes); i++) {
        char *data = xmalloc(write_sizes[i]);
        for (size_t k = 0; k < write_sizes[i]; k++) {
            data[k] = byte_at(offset++);
        }
        stream_write(stream, view_of(data, write_sizes[i]));
        free(data); /* nothing may refer to it any more */
    }
    assert_true(stream_flush(stream));
    stream_free(&stream);
}

static void check_bytes(void *context)
{
    struct stream *stream = context;
    struct view data;
    size_t offset = 0;
    while (stream_peek_some(stream, &data)) {
        for (size_t i = 0; i < data.len; i++) {
            CHECK(data.ptr[i] == byte_at(offset + i));
        }
        offset += data.len;
        stream_consume(stream, data.len);
    }
    size_t total = 0;
    for (size_t i = 0; i < ARRAY_SIZE(write_sizes); i++) {
        total += write_sizes[i];
    }
    assert_int_equal(offset, total);
    assert_int_equal(stream_state(stream), STREAM_EOF);
    stream_free(&stream);
}

static void test_write_sizes(void **state)
{
    (void)state;
    struct stream *a, *b;
    make_pair(&a, &b);
    run_two(write_sizes_out, a, check_bytes, b);
}

static void test_printf(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct view data;
    make_pair(&a, &b);
    STR_AUTO struct str expected = {0};
    static const int widths[] = {1, 510, 511, 512, 4000, 5000, 30000, 40000};
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        stream_printf(a, "%*d %s\r\n", widths[i], 42, "ok");
        str_printf(&expected, "%*d %s\r\n", widths[i], 42, "ok");
    }
    assert_true(stream_flush(a));
    assert_true(stream_read_exact(b, expected.len, &data));
    assert_memory_equal(data.ptr, str_ptr(&expected), expected.len);
    stream_free(&a);
    stream_free(&b);
}

static void test_filter_write(void **state)
{
    (void)state;
    struct script script = {.text = VIEW("")};
    struct stream *stream = script_stream(&script);
    stream_write_cstr(stream, "goes out in threes");
    assert_true(stream_flush(stream));
    stream_set_filter(stream, &(struct stream_filter){0});
    assert_int_equal(script.closed, 1);
    stream_write_cstr(stream, "to /dev/null");
    assert_true(stream_flush(stream));
    stream_free(&stream);
    assert_int_equal(script.closed, 1);
}

/* --- descriptors that are no sockets
 * ---------------------------------------------------- */

struct pipe_job {
    int fd;
    struct stream *stream;
};

/* A pair does not close its descriptors, so the end is made here. */
static void write_and_close(void *context)
{
    struct pipe_job *job = context;
    write_sizes_out(job->stream);
    assert_true((fcntl(job->fd, F_GETFL) & O_NONBLOCK) == 0);
    fd_close(&job->fd);
}

static void test_pair_of_pipes(void **state)
{
    (void)state;
    int fds[2], unused[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(pipe2(unused, O_CLOEXEC), 0);
    struct pipe_job job = {.fd = fds[1], .stream = stream_new_pair(unused[0], fds[1])};
    struct stream *reader = stream_new_pair(fds[0], unused[1]);
    run_two(write_and_close, &job, check_bytes, reader);
    fd_close(&fds[0]);
    fd_close(&unused[0]);
    fd_close(&unused[1]);
}

static void test_files(void **state)
{
    (void)state;
    char *dir = test_make_dir();
    char *path = xasprintf("%s/file", dir);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct pipe_job job = {.fd = out, .stream = stream_new_pair(null, out)};
    task_init();
    (void)task_spawn("write", write_and_close, &job);
    task_run(true);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    (void)task_spawn("read", check_bytes, stream_new_pair(in, null));
    task_run(true);
    (void)task_spawn("read", check_bytes, stream_new(in));
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    task_run(true);
    task_done();
    fd_close(&null);
    free(path);
    test_remove_dir(dir);
}

static void echo_one_line(void *context)
{
    struct stream *stream = context;
    struct view line;
    assert_true(stream_read_line(stream, 100, &line, NULL));
    stream_printf(stream, "echo %.*s\n", VIEW_ARG(line));
    assert_true(stream_flush(stream));
}

/* One socket as standard input and output, as under inetd. */
static void test_pair_of_one_socket(void **state)
{
    (void)state;
    int fds[2];
    struct view line;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct stream *client = stream_new(fds[1]);
    struct stream *server = stream_new_pair(fds[0], fds[0]);
    stream_write_cstr(client, "hello\n");
    assert_true(stream_flush(client));
    task_init();
    (void)task_spawn("echo", echo_one_line, server);
    task_run(true);
    assert_true(stream_read_line(client, 100, &line, NULL));
    assert_view_equal(line, "echo hello");
    assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) == 0);
    stream_free(&server);
    assert_false(stream_readable_now(client)); /* still open */
    fd_close(&fds[0]);
    assert_true(stream_readable_now(client));
    stream_free(&client);
    task_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),         cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_read_exact),    cmocka_unit_test(test_peek_and_discard),
        cmocka_unit_test(test_drained),       cmocka_unit_test(test_drained_timeout),
        cmocka_unit_test(test_timeout),       cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_write_timeout), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_peer_gone),     cmocka_unit_test(test_fail),
        cmocka_unit_test(test_write_sizes),   cmocka_unit_test(test_printf),
        cmocka_unit_test(test_filter_write),  cmocka_unit_test(test_pair_of_pipes),
        cmocka_unit_test(test_files),         cmocka_unit_test(test_pair_of_one_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
