/* SPDX-License-Identifier: MIT */
/*
 * c-ares on our loop: its sockets are watched and its time-outs run as a timer.
 * Outside a fiber the sockets are polled here.
 *
 * A channel is never destroyed inside a callback of the library.
 */
#include "net/dns_channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "sys/clock.h"

/* Safe without fragmentation on every path: the DNS flag day 2020 value. */
enum { EDNS_BYTES = 1232, POLL_SOCKETS = 32 };

/* A socket of c-ares; WATCH exists once the loop was used. */
struct dns_socket {
    struct list node;
    struct dns_channel *channel;
    int fd;
    unsigned events;
    unsigned watched_events;
    struct task_watch *watch;
};

/* --- sockets and timer ------------------------------------------- */

static struct dns_socket *find_socket(struct dns_channel *channel, int fd)
{
    LIST_EACH(&channel->sockets, node)
    {
        struct dns_socket *s = LIST_ITEM(node, struct dns_socket, node);
        if (s->fd == fd) {
            return s;
        }
    }
    return NULL;
}

static void drop_socket(struct dns_socket *s)
{
    if (s->watch != NULL) {
        task_watch_free(&s->watch);
    }
    list_remove(&s->node);
    free(s);
}

/* c-ares says what it waits for on FD; both false: it is about to close it. */
static void on_socket_state(void *context, int fd, int readable, int writable)
{
    struct dns_channel *channel = context;
    struct dns_socket *s = find_socket(channel, fd);
    unsigned events = (readable ? TASK_READ : 0U) | (writable ? TASK_WRITE : 0U);
    if (events == 0) {
        if (s != NULL) {
            drop_socket(s);
        }
        return;
    }
    if (s == NULL) {
        s = xcalloc(1, sizeof(*s));
        s->channel = channel;
        s->fd = fd;
        list_add_tail(&channel->sockets, &s->node);
    }
    s->events = events;
}

static void process(struct dns_channel *channel, int fd, unsigned events)
{
    ares_process_fd(channel->ares, (events & TASK_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (events & TASK_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
}

static void on_ready(void *context)
{
    struct dns_socket *s = context;
    struct dns_channel *channel = s->channel;
    process(channel, s->fd, s->events); /* may drop the socket */
    dns_channel_follow(channel);
}

static void on_timer(void *context)
{
    struct dns_channel *channel = context;
    process(channel, ARES_SOCKET_BAD, 0);
    dns_channel_follow(channel);
}

void dns_channel_follow(struct dns_channel *channel)
{
    LIST_EACH(&channel->sockets, node)
    {
        struct dns_socket *s = LIST_ITEM(node, struct dns_socket, node);
        if (s->watch != NULL && s->watched_events != s->events) {
            task_watch_free(&s->watch);
        }
        if (s->watch == NULL) {
            s->watch = task_watch_fd(s->fd, s->events, on_ready, s);
            s->watched_events = s->events;
        }
    }
    struct timeval left;
    if (!channel->timer_ready) {
        task_timer_init(&channel->timer, on_timer, channel);
        channel->timer_ready = true;
    }
    if (ares_timeout(channel->ares, NULL, &left) == NULL) {
        task_timer_clear(&channel->timer);
        return;
    }
    int64_t wait = (int64_t)left.tv_sec * CLOCK_SECOND + left.tv_usec;
    task_timer_set(&channel->timer, clock_now() + wait);
}

void dns_channel_poll(struct dns_channel *channel)
{
    struct pollfd polls[POLL_SOCKETS];
    nfds_t count = 0;
    LIST_EACH(&channel->sockets, node)
    {
        struct dns_socket *s = LIST_ITEM(node, struct dns_socket, node);
        if (count < POLL_SOCKETS) {
            short events = (short)(((s->events & TASK_READ) != 0 ? POLLIN : 0) |
                                   ((s->events & TASK_WRITE) != 0 ? POLLOUT : 0));
            polls[count++] = (struct pollfd){.fd = s->fd, .events = events};
        }
    }
    struct timeval most = {.tv_sec = 1};
    struct timeval buffer;
    const struct timeval *left = ares_timeout(channel->ares, &most, &buffer);
    int wait_ms = (int)(left->tv_sec * 1000 + left->tv_usec / 1000 + 1);
    if (poll(polls, count, wait_ms) <= 0) {
        process(channel, ARES_SOCKET_BAD, 0);
        return;
    }
    for (nfds_t i = 0; i < count; i++) {
        /* Processing one socket may have closed the next. */
        struct dns_socket *s = find_socket(channel, polls[i].fd);
        if (polls[i].revents != 0 && s != NULL) {
            process(channel, s->fd, s->events);
        }
    }
}

/* --- channels ------------------------------------------------------------------ */

void dns_channel_free(struct dns_channel **place)
{
    struct dns_channel *channel = *place;
    *place = NULL;
    ares_destroy(channel->ares); /* ends the requests; closes the sockets */
    LIST_EACH(&channel->sockets, node)
    {
        drop_socket(LIST_ITEM(node, struct dns_socket, node));
    }
    if (channel->timer_ready) {
        task_timer_done(&channel->timer);
    }
    CHECK(channel->pending == 0);
    free(channel);
}

struct dns_channel *dns_channel_new(const struct dns_settings *settings)
{
    struct dns_channel *channel = xcalloc(1, sizeof(*channel));
    list_init(&channel->node);
    list_init(&channel->sockets);
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS | ARES_FLAG_NOALIASES,
        .ednspsz = EDNS_BYTES,
        .timeout = (int)(settings->patience / CLOCK_MILLISECOND),
        .tries = (int)settings->rounds,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = channel,
        .resolvconf_path = settings->resolv_conf,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_SOCK_STATE_CB;
    if (settings->resolv_conf != NULL) {
        mask |= ARES_OPT_RESOLVCONF;
    }
    int status = ares_init_options(&channel->ares, &options, mask);
    if (status == ARES_SUCCESS && settings->servers != NULL) {
        status = ares_set_servers_ports_csv(channel->ares, settings->servers);
        if (status != ARES_SUCCESS) {
            ares_destroy(channel->ares);
        }
    }
    if (status != ARES_SUCCESS) {
        log_warning("name servers cannot be used: %s", ares_strerror(status));
        free(channel);
        return NULL;
    }
    return channel;
}
