/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "net/connect.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"

struct place {
    char *dir, *path;
};

static int make_place(void **state)
{
    struct place *place = xcalloc(1, sizeof(*place));
    place->dir = test_make_dir();
    place->path = xasprintf("%s/socket", place->dir);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    test_remove_dir(place->dir);
    free(place->path);
    free(place);
    return 0;
}

static int64_t soon(void)
{
    return clock_now() + 5 * CLOCK_SECOND;
}

static void assert_flags(int fd)
{
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

static void test_unix(void **state)
{
    struct place *place = *state;
    struct err err;
    struct stat st;
    test_write_file(place->dir, "socket", "was there");
    FD_AUTO int listener = listen_unix(place->path, 5, &err);
    assert_true(listener >= 0);
    assert_int_equal(stat(place->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0666);
    assert_int_equal(net_accept(listener), -1);
    assert_int_equal(errno, EAGAIN);

    FD_AUTO int client = connect_unix(place->path, soon(), &err);
    FD_AUTO int server = net_accept(listener);
    assert_true(client >= 0 && server >= 0);
    assert_flags(listener);
    assert_flags(client);
    assert_flags(server);
}

static void test_unix_failures(void **state)
{
    struct place *place = *state;
    struct err err;
    assert_int_equal(connect_unix(place->path, soon(), &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_string_equal(err.text, "No such file or directory");

    FD_AUTO int listener = listen_unix(place->path, 5, &err);
    fd_close(&listener);
    assert_int_equal(connect_unix(place->path, soon(), &err), -1);
    assert_string_equal(err.text, "Connection refused");

    char *longest = xasprintf("%s/%0200d", place->dir, 1);
    assert_int_equal(connect_unix(longest, soon(), &err), -1);
    assert_int_equal(err.code, ENAMETOOLONG);
    assert_int_equal(listen_unix(longest, 5, &err), -1);
    free(longest);
    assert_int_equal(connect_unix("", soon(), &err), -1);
    assert_int_equal(listen_unix("/nonexistent/socket", 5, &err), -1);
    assert_string_equal(err.text, "/nonexistent/socket: No such file or directory");
}

/* A listener whose queue is full: waits for room, in vain or not. */
static int fill_queue(const char *path, int fds[], int most)
{
    int count = 0;
    while (count < most) {
        fds[count] = connect_unix(path, clock_now(), NULL);
        if (fds[count] < 0) {
            break;
        }
        count++;
    }
    return count;
}

static void accept_one_later(void *context)
{
    int *listener = context;
    (void)task_sleep_until(clock_now() + 20 * CLOCK_MILLISECOND);
    int fd = net_accept(*listener);
    CHECK(fd >= 0);
    fd_close(&fd);
}

static void connect_meanwhile(void *context)
{
    struct err err;
    int fd = connect_unix(context, soon(), &err);
    CHECK(fd >= 0);
    fd_close(&fd);
}

static void test_unix_full_queue(void **state)
{
    struct place *place = *state;
    struct err err;
    enum { MOST = 20 };
    int fds[MOST];
    FD_AUTO int listener = listen_unix(place->path, 1, &err);
    int count = fill_queue(place->path, fds, MOST);
    assert_in_range(count, 1, MOST - 1);
    int64_t start = clock_now();
    assert_int_equal(connect_unix(place->path, start + 30 * CLOCK_MILLISECOND, &err),
                     -1);
    assert_string_equal(err.text, "Connection timed out");
    assert_true(clock_now() - start >= 30 * CLOCK_MILLISECOND);

    task_init();
    (void)task_spawn("accept", accept_one_later, &listener);
    (void)task_spawn("connect", connect_meanwhile, place->path);
    task_run(true);
    task_done();
    while (count > 0) {
        fd_close(&fds[--count]);
    }
}

static void test_datagram(void **state)
{
    struct place *place = *state;
    struct err err;
    FD_AUTO int fd = listen_unix_datagram(place->path, &err);
    assert_true(fd >= 0);
    assert_flags(fd);
    struct stat st;
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
}

static void check_tcp(const char *text, const char *source_text)
{
    struct net_address address, source, peer;
    struct err err;
    assert_true(net_address_parse(view_cstr(text), 0, &address));
    FD_AUTO int listener = listen_tcp(&address, 5, &err);
    if (listener < 0 && err.code == EADDRNOTAVAIL) {
        return; /* no IPv6 here */
    }
    assert_true(listener >= 0);
    assert_true(net_address_local(listener, &address));
    if (source_text != NULL) {
        assert_true(net_address_parse(view_cstr(source_text), 0, &source));
    }
    FD_AUTO int client =
        connect_tcp(&address, source_text != NULL ? &source : NULL, soon(), &err);
    assert_true(client >= 0);
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    FD_AUTO int server = net_accept(listener);
    assert_true(server >= 0);
    assert_flags(client);
    assert_flags(server);
    assert_true(net_address_peer(server, &peer));
    if (source_text != NULL) {
        assert_true(net_address_equal(&peer, &source));
    }
    fd_close(&listener);
    assert_int_equal(connect_tcp(&address, NULL, soon(), &err), -1);
    assert_string_equal(err.text, "Connection refused");
    assert_int_equal(err.outcome, TEMPFAIL);
}

static void test_tcp(void **state)
{
    (void)state;
    check_tcp("127.0.0.1", NULL);
    check_tcp("127.0.0.1", "127.0.0.9");
    check_tcp("::1", NULL);
}

static void test_tcp_failures(void **state)
{
    (void)state;
    struct net_address address, source;
    struct err err;
    assert_true(net_address_parse(VIEW("127.0.0.1"), 1, &address));
    assert_true(net_address_parse(VIEW("192.0.2.1"), 0, &source));
    assert_int_equal(connect_tcp(&address, &source, soon(), &err), -1);
    assert_string_equal(err.text, "Cannot assign requested address");
    net_address_set_port(&source, 0);
    assert_int_equal(listen_tcp(&source, 5, &err), -1);
    assert_string_equal(err.text, "Cannot assign requested address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unix, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_unix_failures, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_unix_full_queue, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_datagram, make_place, remove_place),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
