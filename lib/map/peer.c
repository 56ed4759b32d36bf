/* SPDX-License-Identifier: MIT */
/* Kept connections to the servers behind tables. */
#include "map/peer.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/number.h"
#include "net/connect.h"
#include "net/dns.h"
#include "sys/clock.h"
#include "task/task.h"

enum {
    CONNECTIONS_MOST = 20,          /* in use; further questions wait for one */
    IDLE_MOST = 4,                  /* kept */
    IDLE_TIME = 60 * CLOCK_SECOND,  /* how long they are kept */
    PAUSE_FIRST = 1 * CLOCK_SECOND, /* after the second failure in a row */
    PAUSE_MOST = 10 * CLOCK_SECOND
};

struct peer {
    struct list node;
    unsigned users;
    char *name; /* "host:port" or a path: for messages */
    char *path, *other_path;
    char *host; /* NULL: UNIX domain */
    uint16_t port;
    int64_t timeout;
    struct list idle; /* of struct line, the most recently used first */
    unsigned idle_count;
    unsigned in_use;
    struct task_cond freed; /* a connection is in use no longer */
    unsigned failures;      /* to connect, in a row */
    int64_t failed_at;
    int64_t pause;
    int64_t retry_at;
    char *problem; /* of the last failure */
};

/* A connection. */
struct line {
    struct list node;
    struct stream *stream;
    int64_t idle_since;
    bool reused; /* the server may have closed it meanwhile */
};

/* The servers of this process: tables that ask the same one share its connections. */
static struct list peers = {&peers, &peers};

/* --- which server ------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void peer_free(struct peer *peer)
{
    free(peer->name);
    free(peer->path);
    free(peer->other_path);
    free(peer->host);
    free(peer->problem);
    free(peer);
}

/* FRESH, or the one that is there already. */
static struct peer *register_peer(struct peer *fresh)
{
    LIST_EACH(&peers, node)
    {
        struct peer *peer = LIST_ITEM(node, struct peer, node);
        if (same_text(peer->path, fresh->path) &&
            same_text(peer->other_path, fresh->other_path) &&
            same_text(peer->host, fresh->host) && peer->port == fresh->port &&
            peer->timeout == fresh->timeout) {
            peer_free(fresh);
            peer->users++;
            return peer;
        }
    }
    fresh->users = 1;
    list_init(&fresh->idle);
    task_cond_init(&fresh->freed);
    list_add_tail(&peers, &fresh->node);
    return fresh;
}

struct peer *peer_open_unix(const char *path, const char *other_path, int64_t timeout)
{
    CHECK(timeout > 0);
    struct peer *peer = xcalloc(1, sizeof(*peer));
    peer->path = xstrdup(path);
    peer->other_path = other_path != NULL ? xstrdup(other_path) : NULL;
    peer->name = xstrdup(path);
    peer->timeout = timeout;
    return register_peer(peer);
}

/* A number, or a name of /etc/services: read now, which may block, not later. */
static bool parse_port(struct view text, uint16_t *port_out)
{
    uint64_t number;
    if (number_parse_u64(text, UINT16_MAX, &number)) {
        *port_out = (uint16_t)number;
        return number > 0;
    }
    char *name = xviewdup(text);
    const struct servent *entry = getservbyname(name, "tcp");
    free(name);
    if (entry == NULL) {
        return false;
    }
    *port_out = ntohs((uint16_t)entry->s_port);
    return true;
}

static struct peer *open_inet(struct view text, int64_t timeout, struct err *err)
{
    size_t colon = view_last_index(text, ':');
    struct view host = view_first(text, colon);
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = view_of(host.ptr + 1, host.len - 2);
    }
    uint16_t port = 0;
    if (colon == text.len || host.len == 0) {
        (void)err_perm(err, "4.3.0", "need \"host:port\" instead of \"%.*s\"",
                       VIEW_ARG(text));
        return NULL;
    }
    if (!parse_port(view_from(text, colon + 1), &port)) {
        (void)err_perm(err, "4.3.0", "host or service %.*s not found: unknown service",
                       VIEW_ARG(text));
        return NULL;
    }
    struct peer *peer = xcalloc(1, sizeof(*peer));
    peer->name = xviewdup(text);
    peer->host = xviewdup(host);
    peer->port = port;
    peer->timeout = timeout;
    return register_peer(peer);
}

struct peer *peer_open(struct view endpoint, int64_t timeout, struct err *err)
{
    CHECK(timeout > 0);
    size_t colon = view_index(endpoint, ':');
    struct view transport = view_first(endpoint, colon);
    struct view rest = view_from(endpoint, colon + 1);
    if (rest.len == 0) {
        (void)err_perm(err, "4.3.0",
                       "need service transport:endpoint instead of \"%.*s\"",
                       VIEW_ARG(endpoint));
        return NULL;
    }
    if (view_equal(transport, VIEW("inet"))) {
        return open_inet(rest, timeout, err);
    }
    if (!view_equal(transport, VIEW("unix"))) {
        (void)err_perm(err, "4.3.0", "invalid transport name: %.*s in service: %.*s",
                       VIEW_ARG(transport), VIEW_ARG(endpoint));
        return NULL;
    }
    char *path = xviewdup(rest);
    struct peer *peer = peer_open_unix(path, NULL, timeout);
    free(path);
    return peer;
}

/* --- connecting -------------------------------------------------------------- */

static int connect_address(const struct peer *peer, struct net_address *address,
                           int64_t deadline, struct err *why)
{
    net_address_set_port(address, peer->port);
    return connect_tcp(address, NULL, deadline, why);
}

/* Every address of the name gets its share of the time. */
static int connect_host(const struct peer *peer, int64_t deadline, struct err *why)
{
    struct arena arena = {0};
    struct dns_answer answer;
    int fd = -1;
    if (dns_host_addresses(&arena, view_cstr(peer->host),
                           DNS_IPV4 | DNS_IPV6 | DNS_NATIVE, &answer, why) == DNS_OK) {
        for (size_t i = 0; fd < 0 && i < answer.count; i++) {
            int64_t now = clock_now();
            int64_t share = (deadline - now) / (int64_t)(answer.count - i);
            fd = connect_address(peer, &answer.records[i].address, now + share, why);
        }
    }
    arena_clear(&arena);
    return fd;
}

static int connect_path(const struct peer *peer, int64_t deadline, struct err *why)
{
    int fd = connect_unix(peer->path, deadline, why);
    if (fd < 0 && why->code == ENOENT && peer->other_path != NULL) {
        fd = connect_unix(peer->other_path, deadline, why);
    }
    return fd;
}

/* Attempts that go on at the same time fail together, and count once. */
static void note_failure(struct peer *peer, int64_t started_at, const char *problem)
{
    if (peer->failures > 0 && started_at <= peer->failed_at) {
        return;
    }
    peer->failed_at = clock_now();
    free(peer->problem);
    peer->problem = xstrdup(problem);
    peer->failures++;
    if (peer->failures == 1) {
        peer->pause = 0; /* once is no rule: a server that is started anew */
    } else if (peer->pause == 0) {
        peer->pause = PAUSE_FIRST;
    } else {
        peer->pause = 2 * peer->pause < PAUSE_MOST ? 2 * peer->pause : PAUSE_MOST;
    }
    peer->retry_at = peer->failed_at + peer->pause;
}

static struct line *connect_line(struct peer *peer, struct err *err)
{
    if (peer->failures > 0 && clock_now() < peer->retry_at) {
        (void)err_temp(err, "4.3.0", "%s", peer->problem);
        return NULL;
    }
    struct err why = {0};
    int64_t started_at = clock_now();
    int64_t deadline = started_at + peer->timeout;
    int fd = peer->host != NULL ? connect_host(peer, deadline, &why)
                                : connect_path(peer, deadline, &why);
    if (fd < 0) {
        (void)err_temp(err, "4.3.0", "connect to %s: %s", peer->name, why.text);
        if (!task_cancelled()) {
            char *problem = xasprintf("connect to %s: %s", peer->name, why.text);
            note_failure(peer, started_at, problem);
            free(problem);
        }
        return NULL;
    }
    peer->failures = 0;
    struct line *line = xcalloc(1, sizeof(*line));
    list_init(&line->node);
    line->stream = stream_new(fd);
    return line;
}

/* --- the connections --------------------------------------------------------- */

static void drop_line(struct line *line)
{
    CHECK(list_empty(&line->node));
    stream_free(&line->stream);
    free(line);
}

static struct line *take_idle(struct peer *peer)
{
    struct list *node = list_first(&peer->idle);
    if (node == NULL) {
        return NULL;
    }
    CHECK(peer->idle_count > 0);
    list_remove(node);
    peer->idle_count--;
    return LIST_ITEM(node, struct line, node);
}

static void drop_idle(struct peer *peer)
{
    struct line *line;
    while ((line = take_idle(peer)) != NULL) {
        drop_line(line);
    }
}

/* One that is fit for use: whatever there is to read on it is either its end or no
 * answer to the question to come. */
static struct line *take_fit(struct peer *peer)
{
    int64_t oldest = clock_now() - IDLE_TIME;
    struct line *line;
    while ((line = take_idle(peer)) != NULL) {
        if (line->idle_since > oldest && !stream_readable_now(line->stream)) {
            line->reused = true;
            return line;
        }
        drop_line(line);
    }
    return NULL;
}

static struct line *take_line(struct peer *peer, struct err *err)
{
    struct line *line = take_fit(peer);
    return line != NULL ? line : connect_line(peer, err);
}

static void keep_line(struct peer *peer, struct line *line)
{
    if (!stream_ok(line->stream) || stream_pending(line->stream) > 0 ||
        peer->idle_count >= IDLE_MOST) {
        drop_line(line);
        return;
    }
    stream_trim(line->stream);
    line->idle_since = clock_now();
    list_add_head(&peer->idle, &line->node);
    peer->idle_count++;
}

static bool await_turn(struct peer *peer, struct err *err)
{
    int64_t deadline = clock_now() + peer->timeout;
    while (peer->in_use >= CONNECTIONS_MOST) {
        if (task_cond_wait(&peer->freed, deadline) != TASK_READY) {
            (void)err_temp(err, "4.3.0", "%s is busy", peer->name);
            return false;
        }
    }
    peer->in_use++;
    return true;
}

static void end_turn(struct peer *peer)
{
    CHECK(peer->in_use > 0);
    peer->in_use--;
    task_cond_signal(&peer->freed);
}

/* --- questions --------------------------------------------------------------- */

static enum outcome ask(struct peer *peer,
                        bool (*exchange)(void *context, struct stream *stream),
                        void *context, struct err *err)
{
    for (;;) {
        struct line *line = take_line(peer, err);
        if (line == NULL) {
            return TEMPFAIL;
        }
        /* For the whole question: a server that answers a byte at a time is down too.
         */
        stream_set_deadline(line->stream, clock_now() + peer->timeout);
        if (exchange(context, line->stream)) {
            keep_line(peer, line);
            return OK;
        }
        bool was_closed = line->reused && stream_state(line->stream) == STREAM_EOF;
        (void)err_temp(err, "4.3.0", "%s", stream_problem(line->stream));
        drop_line(line);
        if (!was_closed) {
            return TEMPFAIL;
        }
        drop_idle(peer); /* they will not have fared better */
    }
}

enum outcome peer_ask(struct peer *peer,
                      bool (*exchange)(void *context, struct stream *stream),
                      void *context, struct err *err)
{
    if (!await_turn(peer, err)) {
        return TEMPFAIL;
    }
    enum outcome outcome = ask(peer, exchange, context, err);
    end_turn(peer);
    return outcome;
}

unsigned peer_failures(const struct peer *peer)
{
    return peer->failures;
}

void peer_close(struct peer **peer)
{
    struct peer *self = *peer;
    *peer = NULL;
    if (self == NULL || --self->users > 0) {
        return;
    }
    list_remove(&self->node);
    drop_idle(self);
    if (self->in_use == 0) { /* else the process ends in the middle of a question */
        peer_free(self);
    }
}
