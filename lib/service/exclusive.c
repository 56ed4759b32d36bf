/* SPDX-License-Identifier: MIT */
/*
 * One client at a time, on the main stack, where a session may block, fork and
 * switch users.  Orders of master come by SIGIO, so that a new log file is taken up
 * in the middle of a job, and so that the listeners are closed at once when master
 * dies: a new master must be able to bind them while the present job goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "service/worker.h"
#include "sys/clock.h"
#include "sys/signal.h"

/* Signal handlers get no context. */
static struct worker *the_worker;
static volatile sig_atomic_t terminated;

static void on_order(int number)
{
    (void)number;
    channel_receive(&the_worker->channel);
    if (the_worker->channel.orphaned != 0) {
        worker_close_listeners(the_worker);
    }
}

static void on_termination(int number)
{
    (void)number;
    terminated = 1;
}

static bool should_leave(const struct worker *worker)
{
    return terminated != 0 || worker->channel.retire != 0 ||
           worker->channel.orphaned != 0;
}

static void catch_orders(struct worker *worker)
{
    the_worker = worker;
    signal_handle(SIGIO, on_order);
    signal_handle(SIGTERM, on_termination);
    int flags = fcntl(worker->channel.fd, F_GETFL);
    CHECK(flags >= 0);
    CHECK(fcntl(worker->channel.fd, F_SETOWN, getpid()) == 0);
    CHECK(fcntl(worker->channel.fd, F_SETFL, flags | O_ASYNC) == 0);
    /* What came before the signal was wanted. */
    on_order(SIGIO);
}

/* Poll, with the signals delivered only while it waits: none gets lost in between.  1:
 * ready; 0: the time is over; -1: it is time to leave. */
static int poll_or_leave(struct worker *worker, struct pollfd *fds, nfds_t count,
                         int64_t deadline)
{
    sigset_t block;
    sigset_t before;
    int ready = -1;
    CHECK(sigemptyset(&block) == 0 && sigaddset(&block, SIGIO) == 0 &&
          sigaddset(&block, SIGTERM) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &block, &before) == 0);
    while (!should_leave(worker)) {
        struct timespec rest = {0};
        if (deadline != CLOCK_NEVER) {
            int64_t left = deadline - clock_now();
            left = left > 0 ? left : 0;
            rest.tv_sec = left / CLOCK_SECOND;
            rest.tv_nsec = left % CLOCK_SECOND * 1000;
        }
        ready = ppoll(fds, count, deadline != CLOCK_NEVER ? &rest : NULL, &before);
        if (ready >= 0) {
            break;
        }
        CHECK(errno == EINTR);
    }
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
    if (should_leave(worker)) {
        return -1;
    }
    return ready > 0 ? 1 : 0;
}

/* The next client, or -1 when the process should leave. */
static int next_client(struct worker *worker, struct pollfd *fds)
{
    int64_t deadline =
        worker->max_idle == CLOCK_NEVER ? CLOCK_NEVER : clock_now() + worker->max_idle;
    for (;;) {
        int ready =
            poll_or_leave(worker, fds, (nfds_t)worker->listener_count, deadline);
        if (ready <= 0 || worker_used_up(worker)) {
            return -1;
        }
        for (int i = 0; i < worker->listener_count; i++) {
            int fd =
                fds[i].revents != 0 ? worker_accept(worker, fds[i].fd) : ACCEPT_NONE;
            if (fd == ACCEPT_EXHAUSTED) {
                (void)poll_or_leave(worker, NULL, 0, clock_now() + ACCEPT_PAUSE);
            }
            if (fd >= 0 && strcmp(worker->arguments.type, "pass") == 0) {
                fd = worker_receive_client(fd);
            }
            if (fd >= 0) {
                return fd;
            }
        }
    }
}

static void serve(struct worker *worker, int fd)
{
    struct stream *stream = stream_new(fd);
    worker->expecting_first = true;
    worker->service->session(&worker->context, stream);
    stream_free(&stream);
    worker->expecting_first = false;
    worker->sessions++;
}

void worker_run_exclusive(struct worker *worker)
{
    struct pollfd fds[MASTER_LISTENERS_MAX];
    CHECK(worker->service->session != NULL);
    catch_orders(worker);
    for (int i = 0; i < worker->listener_count; i++) {
        fds[i] = (struct pollfd){.fd = worker->listeners[i], .events = POLLIN};
    }
    for (;;) {
        worker_report(worker, WORKER_AVAILABLE, 1);
        int fd = next_client(worker, fds);
        if (fd < 0) {
            break;
        }
        worker_report(worker, WORKER_FULL, 1);
        serve(worker, fd);
        if (worker_outdated(worker)) {
            break;
        }
    }
    worker->context.stopping = true;
    worker_report(worker, WORKER_RETIRING, 0);
}

/* Wait for more from CLIENT.  There may be no other process for others (maxproc is 1):
 * then whoever knocks goes before a client that has nothing to ask at present. */
static bool poll_client(struct worker *worker, const struct stream *client,
                        int64_t deadline, bool *timed_out)
{
    struct pollfd fds[1 + MASTER_LISTENERS_MAX] = {
        {.fd = stream_fd(client), .events = POLLIN}};
    nfds_t count = 1;
    if (worker->arguments.one_client && !worker->expecting_first) {
        for (int i = 0; i < worker->listener_count; i++) {
            fds[count++] =
                (struct pollfd){.fd = worker->listeners[i], .events = POLLIN};
        }
    }
    int ready = poll_or_leave(worker, fds, count, deadline);
    *timed_out = ready == 0;
    return ready > 0 && fds[0].revents != 0;
}

/* A client that keeps its connection must not keep us from tables that cannot be opened
 * again in place: who asks us after we have left asks the next one. */
static bool await_client(struct worker *worker, const struct stream *client,
                         int64_t deadline)
{
    bool timed_out = true;
    bool ready = false;
    bool can_leave = !worker->expecting_first && worker->service->outdated != NULL;
    while (timed_out && clock_now() < deadline) {
        int64_t next = clock_now() + OUTDATED_INTERVAL;
        if (can_leave && worker_outdated(worker)) {
            return false;
        }
        next = can_leave && next < deadline ? next : deadline;
        ready = poll_client(worker, client, next, &timed_out);
    }
    return ready;
}

bool worker_await_exclusive(struct worker *worker, struct stream *client,
                            int64_t deadline)
{
    if (!worker->expecting_first) {
        worker_note_work(worker);
    }
    bool ready = stream_pending(client) > 0 || await_client(worker, client, deadline) ||
                 /* Came together with the order to leave, or with another client. */
                 stream_readable_now(client);
    worker->expecting_first = false;
    worker->context.stopping = should_leave(worker);
    return ready && stream_ok(client);
}

void worker_run_datagram(struct worker *worker)
{
    enum { PACKET_MAX = 64 * 1024 };
    static char packet[PACKET_MAX]; /* too large for a stack frame */
    struct pollfd fd = {.fd = worker->listeners[0], .events = POLLIN};
    CHECK(worker->service->datagram != NULL && worker->listener_count == 1);
    catch_orders(worker);
    worker_report(worker, WORKER_AVAILABLE, worker->client_limit);
    for (;;) {
        int64_t deadline = worker->max_idle == CLOCK_NEVER
                               ? CLOCK_NEVER
                               : clock_now() + worker->max_idle;
        if (poll_or_leave(worker, &fd, 1, deadline) <= 0) {
            break;
        }
        ssize_t len = recv(fd.fd, packet, sizeof(packet), MSG_DONTWAIT);
        if (len >= 0) {
            worker->service->datagram(&worker->context, view_of(packet, (size_t)len));
            worker->sessions++;
        }
    }
    worker->context.stopping = true;
    worker_report(worker, WORKER_RETIRING, 0);
}
