/* SPDX-License-Identifier: MIT */
/* Waiting for descriptors, in fibers and outside. */
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "testing/test.h"

static int64_t in_ms(int64_t milliseconds)
{
    return clock_now() + milliseconds * CLOCK_MILLISECOND;
}

static int set_up(void **state)
{
    (void)state;
    task_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    task_done();
    return 0;
}

static void make_pair(int fds[2])
{
    int size = 4096;
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

/* --- a stream of bytes in both directions --- */

enum { STREAM_BYTES = 1 << 20, CHUNK = 3000 };

struct end {
    struct task_io io;
    size_t received;
    size_t sent;
    bool at_end;
};

static void send_all(void *context)
{
    struct end *end = context;
    char chunk[CHUNK];
    while (end->sent < STREAM_BYTES) {
        size_t len =
            STREAM_BYTES - end->sent < CHUNK ? STREAM_BYTES - end->sent : CHUNK;
        for (size_t i = 0; i < len; i++) {
            chunk[i] = (char)((end->sent + i) * 7);
        }
        ssize_t n = write(end->io.fd, chunk, len);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            assert_int_equal(task_io_wait(&end->io, TASK_WRITE, in_ms(20000)),
                             TASK_READY);
            assert_int_equal(errno, EAGAIN);
            continue;
        }
        end->sent += (size_t)n;
    }
    (void)shutdown(end->io.fd, SHUT_WR);
}

static void receive_all(void *context)
{
    struct end *end = context;
    char chunk[CHUNK];
    for (;;) {
        ssize_t n = read(end->io.fd, chunk, sizeof(chunk));
        if (n == 0) {
            end->at_end = true;
            return;
        }
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            assert_int_equal(task_io_wait(&end->io, TASK_READ, in_ms(20000)),
                             TASK_READY);
            assert_int_equal(errno, EAGAIN);
            continue;
        }
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(chunk[i], (char)((end->received + (size_t)i) * 7));
        }
        end->received += (size_t)n;
    }
}

/* One descriptor with a reader and a writer in different fibers, and the same at the
 * other end. */
static void test_two_way_stream(void **state)
{
    (void)state;
    int fds[2];
    make_pair(fds);
    struct end ends[2] = {{.sent = 0}, {.sent = 0}};
    for (int i = 0; i < 2; i++) {
        task_io_init(&ends[i].io, fds[i]);
        (void)task_spawn("sender", send_all, &ends[i]);
        (void)task_spawn("receiver", receive_all, &ends[i]);
    }
    task_run(true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ends[i].received, STREAM_BYTES);
        assert_true(ends[i].at_end);
        task_io_done(&ends[i].io);
        (void)close(fds[i]);
    }
}

/* --- single waits --- */

struct waiter {
    struct task_io io;
    int fd;
    int peer;
    enum task_result result;
};

static void write_later(void *context)
{
    struct waiter *w = context;
    (void)task_sleep_until(in_ms(3));
    assert_int_equal(write(w->peer, "x", 1), 1);
}

static void wait_edges(void *context)
{
    struct waiter *w = context;
    char c;
    /* Registered when data is there already. */
    assert_int_equal(write(w->peer, "x", 1), 1);
    assert_int_equal(task_io_wait(&w->io, TASK_READ, in_ms(20000)), TASK_READY);
    assert_int_equal(read(w->io.fd, &c, 1), 1);
    /* Nothing more: the deadline ends the wait. */
    int64_t deadline = in_ms(5);
    assert_int_equal(task_io_wait(&w->io, TASK_READ, deadline), TASK_TIMEOUT);
    assert_true(clock_now() >= deadline);
    assert_int_equal(task_io_wait(&w->io, TASK_READ, 0), TASK_TIMEOUT);
    /* An edge while nobody waits is kept. */
    assert_int_equal(write(w->peer, "x", 1), 1);
    assert_int_equal(task_sleep_until(in_ms(5)), TASK_TIMEOUT);
    assert_int_equal(task_io_wait(&w->io, TASK_READ, in_ms(20000)), TASK_READY);
    assert_int_equal(read(w->io.fd, &c, 1), 1);
    /* A second direction is added, and the first still works. */
    assert_int_equal(task_io_wait(&w->io, TASK_WRITE, in_ms(20000)), TASK_READY);
    (void)task_spawn("writer", write_later, w);
    assert_int_equal(task_io_wait(&w->io, TASK_READ, in_ms(20000)), TASK_READY);
    assert_int_equal(read(w->io.fd, &c, 1), 1);
    assert_int_equal(read(w->io.fd, &c, 1), -1);
    assert_int_equal(errno, EAGAIN);
    /* Both at once. */
    assert_int_equal(task_io_wait(&w->io, TASK_READ | TASK_WRITE, in_ms(20000)),
                     TASK_READY);
    /* The end of file is readiness, and so is every later look. */
    (void)close(w->peer);
    for (int i = 0; i < 2; i++) {
        while (read(w->io.fd, &c, 1) < 0) {
            assert_int_equal(task_io_wait(&w->io, TASK_READ, in_ms(20000)), TASK_READY);
        }
    }
    w->result = TASK_READY;
}

static void test_edges(void **state)
{
    (void)state;
    int fds[2];
    make_pair(fds);
    struct waiter w = {.peer = fds[1], .result = TASK_CANCELLED};
    task_io_init(&w.io, fds[0]);
    (void)task_spawn("waiter", wait_edges, &w);
    task_run(true);
    assert_int_equal(w.result, TASK_READY);
    task_io_done(&w.io);
    (void)close(fds[0]);
}

static void wait_once(void *context)
{
    struct waiter *w = context;
    w->result = w->fd >= 0 ? task_wait(w->fd, TASK_READ, in_ms(20000))
                           : task_io_wait(&w->io, TASK_READ, CLOCK_NEVER);
}

static void cancel_later(void *context)
{
    (void)task_sleep_until(in_ms(3));
    task_cancel(context);
}

static void test_cancel_wait(void **state)
{
    (void)state;
    int fds[2];
    make_pair(fds);
    struct waiter a = {.fd = -1};
    struct waiter b = {.fd = fds[1]};
    task_io_init(&a.io, fds[0]);
    (void)task_spawn("canceller", cancel_later, task_spawn("a", wait_once, &a));
    (void)task_spawn("canceller", cancel_later, task_spawn("b", wait_once, &b));
    task_run(true);
    assert_int_equal(a.result, TASK_CANCELLED);
    assert_int_equal(b.result, TASK_CANCELLED);
    task_io_done(&a.io);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void wait_plain(void *context)
{
    struct waiter *w = context;
    errno = ENOTTY;
    assert_int_equal(task_wait(w->fd, TASK_READ, in_ms(2)), TASK_TIMEOUT);
    assert_int_equal(task_wait(w->fd, TASK_READ, 0), TASK_TIMEOUT);
    assert_int_equal(task_wait(w->peer, TASK_WRITE, 0), TASK_READY);
    (void)task_spawn("writer", write_later, w);
    assert_int_equal(task_wait(w->fd, TASK_READ, in_ms(20000)), TASK_READY);
    assert_int_equal(task_wait(w->fd, TASK_READ, 0), TASK_READY); /* level */
    assert_int_equal(errno, ENOTTY);
}

static void test_wait_in_fiber(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct waiter w = {.fd = fds[0], .peer = fds[1]};
    struct waiter others[2] = {{.fd = fds[0]}, {.fd = fds[0]}};
    (void)task_spawn("waiter", wait_plain, &w);
    (void)task_spawn("waiter", wait_once, &others[0]); /* several on one descriptor */
    (void)task_spawn("waiter", wait_once, &others[1]);
    task_run(true);
    assert_int_equal(others[0].result, TASK_READY);
    assert_int_equal(others[1].result, TASK_READY);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void wait_for_file(void *context)
{
    struct waiter *w = context;
    assert_int_equal(task_wait(w->io.fd, TASK_READ, CLOCK_NEVER), TASK_READY);
    assert_int_equal(task_io_wait(&w->io, TASK_READ, CLOCK_NEVER), TASK_READY);
    assert_int_equal(task_io_wait(&w->io, TASK_WRITE, CLOCK_NEVER), TASK_READY);
    assert_int_equal(task_io_wait(&w->io, TASK_READ, CLOCK_NEVER), TASK_READY);
}

static void test_files_are_always_ready(void **state)
{
    (void)state;
    const char *names[] = {"/dev/null", "/proc/self/exe"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct waiter w = {.fd = -1};
        task_io_init(&w.io, open(names[i], O_RDONLY | O_CLOEXEC));
        (void)task_spawn("waiter", wait_for_file, &w);
        task_run(true);
        int fd = w.io.fd;
        task_io_done(&w.io);
        (void)close(fd);
    }
}

/* The number of a closed descriptor is used again at once: nothing of the old
 * registration may be left. */
static void reuse_number(void *context)
{
    (void)context;
    for (int i = 0; i < 100; i++) {
        int fds[2];
        char c;
        struct task_io io;
        make_pair(fds);
        task_io_init(&io, fds[0]);
        assert_int_equal(task_io_wait(&io, TASK_READ, 0), TASK_TIMEOUT);
        assert_int_equal(write(fds[1], "x", 1), 1);
        assert_int_equal(task_io_wait(&io, TASK_READ, in_ms(20000)), TASK_READY);
        assert_int_equal(read(fds[0], &c, 1), 1);
        task_io_done(&io);
        (void)close(fds[0]);
        (void)close(fds[1]);
    }
}

static void test_reuse_number(void **state)
{
    (void)state;
    (void)task_spawn("user", reuse_number, NULL);
    task_run(true);
}

/* --- outside fibers --- */

static void test_outside_fibers(void **state)
{
    (void)state;
    int fds[2];
    struct task_io io;
    make_pair(fds);
    task_io_init(&io, fds[0]);
    errno = ENOTTY;
    int64_t deadline = in_ms(5);
    assert_int_equal(task_wait(fds[0], TASK_READ, deadline), TASK_TIMEOUT);
    assert_true(clock_now() >= deadline);
    assert_int_equal(task_io_wait(&io, TASK_READ, 0), TASK_TIMEOUT);
    assert_int_equal(task_io_wait(&io, TASK_WRITE, CLOCK_NEVER), TASK_READY);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(task_io_wait(&io, TASK_READ, CLOCK_NEVER), TASK_READY);
    deadline = in_ms(5);
    assert_int_equal(task_sleep_until(deadline), TASK_TIMEOUT);
    assert_true(clock_now() >= deadline);
    task_yield();
    assert_int_equal(errno, ENOTTY);
    assert_false(task_cancelled());
    task_io_done(&io);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_way_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wait_in_fiber, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_are_always_ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reuse_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_outside_fibers, set_up, tear_down),
        cmocka_unit_test(test_outside_fibers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
