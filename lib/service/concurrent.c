/* SPDX-License-Identifier: MIT */
/*
 * Many clients in one process: a fiber per client.  The listeners are shared with
 * other processes of the service, so that each round takes a few clients only and
 * the load spreads.  Death of master ends the process at once: whatever was not
 * acknowledged is recovered from the queue.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "service/worker.h"
#include "task/task.h"

enum {
    ACCEPTS_PER_ROUND = 4,
    /* More sessions than a handful: another process would help, if there is a core. */
    HANDFUL = 4,
    HANDFUL_AGAIN = 2,
    STOP_GRACE = 5 * CLOCK_SECOND,
    /* Who becomes busy lets others have the next clients for as long as it takes to
     * start another process, so that a burst does not end up in one; but not all the
     * time. */
    HOLD_OFF = 10 * CLOCK_MILLISECOND,
    HOLD_OFF_EVERY = 10 * CLOCK_SECOND,
    /* Session numbers: above every process ID, with the process ID as last digits. */
    NUMBER_STEP = 10000000
};

struct loop {
    struct worker *worker;
    struct task_watch *listeners[MASTER_LISTENERS_MAX];
    struct task_watch *channel;
    struct task_watch *termination;
    struct task_timer idle;
    struct task_timer grace;
    struct task_timer hold_off;
    struct task_timer outdated; /* runs while there are clients */
    int64_t held_off;           /* when it was last done */
    bool holding_off;
    struct list clients;
    unsigned client_count;
    bool *slots;         /* client_limit of them: which session numbers are in use */
    unsigned first_free; /* no free slot is below */
    bool listening;
};

struct client {
    struct list node;
    struct loop *loop;
    struct stream *stream;
    struct fiber *fiber;
    unsigned slot;
    int fd;        /* until the stream is made */
    bool asked;    /* has been waited for once: its first request is always served */
    bool awaiting; /* between requests: may be sent away */
};

/* service_await() gets a context and must find the loop: one loop per process. */
static struct loop *the_loop;

static void set_listening(struct loop *loop, bool on)
{
    if (loop->listening == on) {
        return;
    }
    loop->listening = on;
    for (int i = 0; i < loop->worker->listener_count; i++) {
        task_watch_pause(loop->listeners[i], !on);
    }
}

static enum worker_state next_state(const struct loop *loop)
{
    const struct worker *worker = loop->worker;
    if (worker->context.stopping) {
        return WORKER_RETIRING;
    }
    if (loop->client_count >= worker->client_limit) {
        return WORKER_FULL;
    }
    if (loop->client_count > HANDFUL) {
        return WORKER_BUSY;
    }
    /* In between the state stays what it was, so that it does not flutter. */
    bool was_busy =
        worker->reported_state == WORKER_BUSY || worker->reported_state == WORKER_FULL;
    return was_busy && loop->client_count > HANDFUL_AGAIN ? WORKER_BUSY
                                                          : WORKER_AVAILABLE;
}

/* Take no clients for a while. */
static void hold_off(struct loop *loop, int64_t duration)
{
    loop->holding_off = true;
    task_timer_set(&loop->hold_off, clock_now() + duration);
}

static void hold_off_for_others(struct loop *loop)
{
    int64_t now = clock_now();
    if (loop->worker->service->single || loop->holding_off ||
        (loop->held_off != 0 && now - loop->held_off < HOLD_OFF_EVERY)) {
        return;
    }
    loop->held_off = now;
    hold_off(loop, HOLD_OFF);
}

/* After every change: tell master, listen or not, leave when nothing is left to do. */
static void settle(struct loop *loop)
{
    struct worker *worker = loop->worker;
    enum worker_state state = next_state(loop);
    if (state == WORKER_BUSY && worker->reported_state == WORKER_AVAILABLE) {
        hold_off_for_others(loop);
    }
    worker_report(worker, state,
                  state == WORKER_RETIRING ? loop->client_count : worker->client_limit);
    if (worker->context.stopping) {
        if (loop->client_count == 0 || worker->service->single) {
            task_stop();
        }
        return;
    }
    set_listening(loop, state != WORKER_FULL && !loop->holding_off);
    if (loop->client_count > 0) {
        task_timer_clear(&loop->idle);
    } else if (worker->max_idle != CLOCK_NEVER) {
        task_timer_set(&loop->idle, clock_now() + worker->max_idle);
    }
}

/* Send away those who wait between two requests: they connect again when they need to.
 */
static void dismiss(struct loop *loop, bool everybody)
{
    LIST_EACH(&loop->clients, node)
    {
        struct client *client = LIST_ITEM(node, struct client, node);
        if (everybody || client->awaiting) {
            task_cancel(client->fiber);
        }
    }
}

static void retire(struct loop *loop)
{
    if (loop->worker->context.stopping) {
        return;
    }
    loop->worker->context.stopping = true;
    set_listening(loop, false);
    dismiss(loop, false);
    settle(loop);
}

/* Clients may keep their connections for as long as there is work. */
static void on_outdated(void *argument)
{
    struct loop *loop = argument;
    if (worker_outdated(loop->worker)) {
        retire(loop);
    } else if (loop->client_count > 0) {
        task_timer_set(&loop->outdated, clock_now() + OUTDATED_INTERVAL);
    }
}

static unsigned take_slot(struct loop *loop)
{
    unsigned slot = loop->first_free;
    CHECK(loop->client_count < loop->worker->client_limit);
    while (loop->slots[slot]) {
        slot++;
    }
    CHECK(slot < loop->worker->client_limit);
    loop->slots[slot] = true;
    loop->first_free = slot + 1;
    return slot;
}

static uint64_t session_number(const struct loop *loop, const struct client *client)
{
    if (loop->worker->client_limit == 1 || loop->worker->service->single) {
        return 0;
    }
    return (uint64_t)(client->slot + 1) * NUMBER_STEP + (uint64_t)getpid();
}

static void finish_client(struct client *client)
{
    struct loop *loop = client->loop;
    CHECK(loop->client_count > 0 && loop->slots[client->slot]);
    list_remove(&client->node);
    loop->slots[client->slot] = false;
    if (client->slot < loop->first_free) {
        loop->first_free = client->slot;
    }
    loop->client_count--;
    loop->worker->sessions++;
    free(client);
    if (loop->worker->sessions >= loop->worker->sessions_max) {
        retire(loop);
    }
    settle(loop);
}

static void run_client(void *argument)
{
    struct client *client = argument;
    struct worker *worker = client->loop->worker;
    client->fiber = task_current();
    task_set_log_number(session_number(client->loop, client));
    if (strcmp(worker->arguments.type, "pass") == 0) {
        client->fd = worker_receive_client(client->fd);
    }
    if (client->fd >= 0) {
        client->stream = stream_new(client->fd);
        worker->service->session(&worker->context, client->stream);
        stream_free(&client->stream);
    }
    finish_client(client);
}

static void start_client(struct loop *loop, int fd)
{
    struct client *client = xcalloc(1, sizeof(*client));
    client->loop = loop;
    client->fd = fd;
    client->slot = take_slot(loop);
    list_init(&client->node);
    list_add_tail(&loop->clients, &client->node);
    if (loop->client_count++ == 0 && loop->worker->service->outdated != NULL) {
        task_timer_set(&loop->outdated, clock_now() + OUTDATED_INTERVAL);
    }
    client->fiber = task_spawn("session", run_client, client);
}

static bool accept_one(struct loop *loop)
{
    struct worker *worker = loop->worker;
    for (int i = 0; i < worker->listener_count; i++) {
        int fd = worker_accept(worker, worker->listeners[i]);
        if (fd >= 0) {
            start_client(loop, fd);
            return true;
        }
        if (fd == ACCEPT_EXHAUSTED) {
            hold_off(loop, ACCEPT_PAUSE);
            return false;
        }
    }
    return false;
}

static void on_listener(void *argument)
{
    struct loop *loop = argument;
    struct worker *worker = loop->worker;
    if (worker->context.stopping) {
        return;
    }
    if (worker_used_up(worker)) {
        retire(loop);
        return;
    }
    /* A process with much to do leaves the next client to one with less. */
    int most = loop->client_count > HANDFUL ? 1 : ACCEPTS_PER_ROUND;
    for (int i = 0; i < most && loop->client_count < worker->client_limit; i++) {
        if (!accept_one(loop)) {
            break;
        }
    }
    settle(loop);
}

static void on_channel(void *argument)
{
    struct loop *loop = argument;
    channel_receive(&loop->worker->channel);
    if (loop->worker->channel.orphaned != 0) {
        _exit(EXIT_SUCCESS);
    }
    if (loop->worker->channel.retire != 0) {
        task_watch_pause(loop->channel, loop->worker->context.stopping);
        retire(loop);
    }
}

static void on_idle(void *argument)
{
    struct loop *loop = argument;
    if (loop->client_count == 0) {
        retire(loop);
    }
}

static void on_hold_off(void *argument)
{
    struct loop *loop = argument;
    loop->holding_off = false;
    settle(loop);
}

static void on_grace(void *argument)
{
    (void)argument;
    task_stop();
}

/* SIGTERM: sessions end now, as if their clients had left; a commit that is under way
 * is finished first, because it cannot be cancelled. */
static void on_termination(void *argument)
{
    struct loop *loop = argument;
    retire(loop);
    dismiss(loop, true);
    task_timer_set(&loop->grace, clock_now() + STOP_GRACE);
    settle(loop);
}

static void start_loop(struct loop *loop)
{
    struct worker *worker = loop->worker;
    list_init(&loop->clients);
    loop->slots = xcalloc(worker->client_limit, sizeof(*loop->slots));
    loop->listening = true;
    task_timer_init(&loop->idle, on_idle, loop);
    task_timer_init(&loop->grace, on_grace, loop);
    task_timer_init(&loop->hold_off, on_hold_off, loop);
    task_timer_init(&loop->outdated, on_outdated, loop);
    loop->channel = task_watch_fd(worker->channel.fd, TASK_READ, on_channel, loop);
    loop->termination = task_watch_signal(SIGTERM, on_termination, loop);
    for (int i = 0; i < worker->listener_count; i++) {
        loop->listeners[i] =
            task_watch_fd(worker->listeners[i], TASK_READ, on_listener, loop);
    }
    settle(loop);
}

static void end_loop(struct loop *loop)
{
    for (int i = 0; i < loop->worker->listener_count; i++) {
        task_watch_free(&loop->listeners[i]);
    }
    task_watch_free(&loop->channel);
    task_watch_free(&loop->termination);
    task_timer_done(&loop->idle);
    task_timer_done(&loop->grace);
    task_timer_done(&loop->hold_off);
    task_timer_done(&loop->outdated);
    free(loop->slots);
    free(loop);
}

void worker_run_concurrent(struct worker *worker)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    CHECK(worker->client_limit > 0 && worker->service->session != NULL);
    loop->worker = worker;
    the_loop = loop;
    start_loop(loop);
    task_run(false);
    /* With sessions or background fibers alive the process must end as it is. */
    if (loop->client_count == 0 && task_fiber_count() == 0) {
        end_loop(loop);
        the_loop = NULL;
    }
}

static struct client *find_client(struct loop *loop, const struct stream *stream)
{
    LIST_EACH(&loop->clients, node)
    {
        struct client *client = LIST_ITEM(node, struct client, node);
        if (client->stream == stream) {
            return client;
        }
    }
    return NULL;
}

bool worker_await_concurrent(struct worker *worker, struct stream *stream,
                             int64_t deadline)
{
    struct view some;
    struct client *client = find_client(the_loop, stream);
    CHECK(client != NULL && client->fiber == task_current());
    /* What has arrived is served, even if the process is about to retire. */
    if (worker->context.stopping && client->asked && stream_pending(stream) == 0 &&
        !stream_readable_now(stream)) {
        return false;
    }
    if (client->asked) {
        worker_note_work(worker);
    }
    client->awaiting = client->asked;
    client->asked = true;
    if (deadline != CLOCK_NEVER) {
        stream_set_deadline(stream, deadline);
    }
    bool arrived = stream_peek_some(stream, &some);
    client->awaiting = false;
    return arrived;
}
