/* SPDX-License-Identifier: MIT */
/*
 * One connection per process: its end tells anvil that the process, and its sessions,
 * are gone.  While one exchange is under way everybody who needs one waits, and the
 * next one carries all that has come together.
 */
#include "rpc/anvil.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/htab.h"
#include "base/list.h"
#include "base/log.h"
#include "net/connect.h"
#include "net/frame.h"
#include "sys/clock.h"
#include "task/task.h"

enum {
    /* What is under a limit's Nth part needs no exact count: every process may have as
     * much, and there are about as many as cores. */
    NEAR = 8,
    BATCH_TIME = 100 * CLOCK_MILLISECOND,
    PATIENCE = 10 * CLOCK_SECOND, /* with anvil */
    PAUSE = 5 * CLOCK_SECOND,     /* after a failure */
    WARNING_EVERY = 60 * CLOCK_SECOND
};

struct anvil_peer {
    struct list node;  /* in peers, the least recently used first */
    struct list dirty; /* in reports, when there is something to tell */
    struct view ident;
    unsigned users;    /* sessions, and exchanges under way */
    uint64_t sessions; /* here */
    uint64_t most;     /* the same, since the last report */
    uint64_t pending[ANVIL_EVENTS];
    uint64_t stamp; /* of the last change */
    int64_t used;   /* when; clock_now() scale */
    /* What anvil said, and when; and our sessions then. */
    struct anvil_total known;
    uint64_t sessions_then;
    int64_t known_at;
};

struct anvil_client {
    char *path;
    int64_t time_unit; /* so long a peer is remembered, too */
    struct stream *stream;
    struct htab *idents;
    struct list peers, reports;
    uint64_t stamp, reported; /* all changes up to this have been told, or cannot be */
    bool busy;                /* an exchange is under way */
    bool reporting;           /* a fiber will make one */
    unsigned fibers;          /* that were started for this */
    bool closed;              /* whoever uses it last frees it */
    struct task_cond done;
    int64_t retry_at, warned_at;
};

struct anvil_client *anvil_client_new(const struct conf *conf)
{
    struct anvil_client *client = xcalloc(1, sizeof(*client));
    client->path = xstrdup("private/anvil");
    client->time_unit = conf_time(conf, P_anvil_rate_time_unit);
    client->idents = htab_new();
    list_init(&client->peers);
    list_init(&client->reports);
    task_cond_init(&client->done);
    client->warned_at = -WARNING_EVERY;
    return client;
}

/* --- peers ------------------------------------------------------------------------ */

static void forget(struct anvil_client *client, struct anvil_peer *peer)
{
    CHECK(peer->users == 0);
    (void)htab_remove(client->idents, peer->ident);
    list_remove(&peer->node);
    list_remove(&peer->dirty);
    free((char *)(uintptr_t)peer->ident.ptr);
    free(peer);
}

static bool is_in_use(const struct anvil_client *client)
{
    LIST_EACH(&client->peers, node)
    {
        if (LIST_ITEM(node, struct anvil_peer, node)->users > 0) {
            return true;
        }
    }
    return client->busy || client->fibers > 0;
}

static void destroy_if_closed(struct anvil_client *client)
{
    if (!client->closed || is_in_use(client)) {
        return;
    }
    LIST_EACH(&client->peers, node)
    {
        forget(client, LIST_ITEM(node, struct anvil_peer, node));
    }
    stream_free(&client->stream);
    htab_free(&client->idents, NULL);
    free(client->path);
    free(client);
}

void anvil_client_free(struct anvil_client **client)
{
    if (*client != NULL) {
        (*client)->closed = true;
        destroy_if_closed(*client);
        *client = NULL;
    }
}

/* Those whose time is over; the list is in the order of use. */
static void forget_old(struct anvil_client *client)
{
    int64_t oldest = clock_now() - client->time_unit;
    LIST_EACH(&client->peers, node)
    {
        struct anvil_peer *peer = LIST_ITEM(node, struct anvil_peer, node);
        if (peer->used >= oldest) {
            return;
        }
        if (peer->users == 0) {
            forget(client, peer);
        }
    }
}

static void touch(struct anvil_client *client, struct anvil_peer *peer)
{
    peer->used = clock_now();
    peer->stamp = ++client->stamp;
    list_remove(&peer->node);
    list_add_tail(&client->peers, &peer->node);
    if (list_empty(&peer->dirty)) {
        list_add_tail(&client->reports, &peer->dirty);
    }
}

static struct anvil_peer *find_peer(struct anvil_client *client, struct view ident)
{
    struct anvil_peer *peer = htab_get(client->idents, ident);
    if (peer == NULL) {
        forget_old(client);
        peer = xcalloc(1, sizeof(*peer));
        list_init(&peer->node);
        list_init(&peer->dirty);
        peer->ident = view_of(xviewdup(ident), ident.len);
        peer->known_at = -client->time_unit;
        (void)htab_put(client->idents, ident, peer);
    }
    return peer;
}

/* --- exchanges -------------------------------------------------------------------- */

static void warn(struct anvil_client *client, const char *problem)
{
    int64_t now = clock_now();
    if (task_cancelled()) {
        return; /* it is us who leave */
    }
    client->retry_at = now + PAUSE;
    if (now - client->warned_at >= WARNING_EVERY) {
        client->warned_at = now;
        log_warning("problem talking to service %s: %s", client->path, problem);
    }
}

/* Everything that anvil does not know any more. */
static void report_all_sessions(struct anvil_client *client)
{
    LIST_EACH(&client->peers, node)
    {
        struct anvil_peer *peer = LIST_ITEM(node, struct anvil_peer, node);
        if (peer->sessions > 0 && list_empty(&peer->dirty)) {
            list_add_tail(&client->reports, &peer->dirty);
        }
    }
}

static bool connect_anvil(struct anvil_client *client)
{
    struct err err = {0};
    if (client->stream != NULL && stream_readable_now(client->stream)) {
        stream_free(&client->stream); /* nothing was asked: it is gone */
    }
    if (client->stream != NULL) {
        return true;
    }
    if (clock_now() < client->retry_at) {
        return false;
    }
    int fd = connect_unix(client->path, clock_now() + PATIENCE, &err);
    if (fd < 0) {
        warn(client, err.text);
        return false;
    }
    client->stream = stream_new(fd);
    report_all_sessions(client);
    return true;
}

/* What goes into one exchange. */
struct batch {
    struct anvil_peer **peers;
    uint64_t *sessions; /* as reported */
    size_t count;
};

static void put_peer(struct str *frame, struct anvil_peer *peer)
{
    frame_put_view(frame, peer->ident);
    frame_put_u64(frame, peer->sessions);
    frame_put_u64(frame, peer->most);
    peer->most = peer->sessions;
    for (size_t i = 0; i < ANVIL_EVENTS; i++) {
        frame_put_u64(frame, peer->pending[i]);
        peer->pending[i] = 0;
    }
}

static void collect(struct anvil_client *client, struct arena *arena,
                    struct batch *batch)
{
    *batch = (struct batch){
        .peers = arena_alloc(arena, ANVIL_ITEMS_MAX * sizeof(*batch->peers)),
        .sessions = arena_alloc(arena, ANVIL_ITEMS_MAX * sizeof(*batch->sessions))};
    LIST_EACH(&client->reports, node)
    {
        struct anvil_peer *peer = LIST_ITEM(node, struct anvil_peer, dirty);
        if (batch->count < ANVIL_ITEMS_MAX) {
            list_remove(&peer->dirty);
            peer->users++;
            batch->sessions[batch->count] = peer->sessions;
            batch->peers[batch->count++] = peer;
        }
    }
}

static void take_total(struct frame_reader *reader, struct anvil_total *total)
{
    total->sessions = frame_get_u64(reader);
    for (size_t i = 0; i < ANVIL_EVENTS; i++) {
        total->rates[i] = frame_get_u64(reader);
    }
}

static bool take_totals(uint8_t kind, struct frame_reader *reader,
                        const struct batch *batch)
{
    if (kind != ANVIL_FRAME_TOTALS || frame_get_u64(reader) != batch->count) {
        return false;
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct anvil_peer *peer = batch->peers[i];
        take_total(reader, &peer->known);
        peer->sessions_then = batch->sessions[i];
        peer->known_at = clock_now();
    }
    return frame_reader_ok(reader);
}

static bool talk(struct anvil_client *client, const struct batch *batch)
{
    STR_AUTO struct str frame = {0};
    struct frame_reader reader;
    uint8_t kind;
    frame_begin(&frame, ANVIL_FRAME_REPORT);
    frame_put_u64(&frame, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        put_peer(&frame, batch->peers[i]);
    }
    stream_set_deadline(client->stream, clock_now() + PATIENCE);
    if (!frame_send_now(client->stream, &frame) ||
        !frame_receive(client->stream, &kind, &reader)) {
        warn(client, stream_problem(client->stream));
        return false;
    }
    if (!take_totals(kind, &reader, batch)) {
        warn(client, "malformed answer");
        return false;
    }
    return true;
}

/* Tell all there is to tell.  What cannot be told is lost, but for the sessions. */
static void exchange(struct anvil_client *client)
{
    struct arena arena = {0};
    struct batch batch;
    client->busy = true;
    bool connected = connect_anvil(client);
    uint64_t stamp = client->stamp;
    collect(client, &arena, &batch);
    if (connected && !talk(client, &batch)) {
        stream_free(&client->stream);
    }
    for (size_t i = 0; i < batch.count; i++) {
        if (!connected) {
            memset(batch.peers[i]->pending, 0, sizeof(batch.peers[i]->pending));
        }
        batch.peers[i]->users--;
    }
    arena_clear(&arena);
    client->reported = stamp;
    client->busy = false;
    task_cond_broadcast(&client->done);
}

/* Until anvil has been told about STAMP. */
static void synchronize(struct anvil_client *client, uint64_t stamp)
{
    while (client->reported < stamp) {
        if (!client->busy) {
            exchange(client);
        } else if (task_cond_wait(&client->done, CLOCK_NEVER) == TASK_CANCELLED) {
            return;
        }
    }
}

static void run_report(void *context)
{
    struct anvil_client *client = context;
    enum task_result slept = task_sleep_until(clock_now() + BATCH_TIME);
    client->reporting = false; /* what happens from now on is for the next one */
    if (slept != TASK_CANCELLED && !client->closed) {
        synchronize(client, client->stamp);
    }
    client->fibers--;
    destroy_if_closed(client);
}

/* Somewhat later will do. */
static void report_later(struct anvil_client *client)
{
    if (!client->reporting) {
        client->reporting = true;
        client->fibers++;
        (void)task_spawn("anvil report", run_report, client);
    }
}

/* --- counting ----------------------------------------------------------------------
 */

struct anvil_peer *anvil_enter(struct anvil_client *client, struct view ident)
{
    struct anvil_peer *peer = find_peer(client, ident);
    peer->users++;
    peer->sessions++;
    if (peer->sessions > peer->most) {
        peer->most = peer->sessions;
    }
    touch(client, peer);
    return peer;
}

void anvil_leave(struct anvil_client *client, struct anvil_peer *peer)
{
    CHECK(peer->users > 0 && peer->sessions > 0);
    peer->users--;
    peer->sessions--;
    touch(client, peer);
    report_later(client);
}

static bool is_fresh(const struct anvil_client *client, const struct anvil_peer *peer)
{
    return clock_now() - peer->known_at < client->time_unit;
}

static uint64_t known_rate(const struct anvil_client *client,
                           const struct anvil_peer *peer, enum anvil_event event)
{
    return peer->pending[event] +
           (is_fresh(client, peer) ? peer->known.rates[event] : 0);
}

static uint64_t known_sessions(const struct anvil_client *client,
                               const struct anvil_peer *peer)
{
    if (!is_fresh(client, peer)) {
        return peer->sessions;
    }
    uint64_t known = peer->known.sessions + peer->sessions;
    return known > peer->sessions_then ? known - peer->sessions_then : 0;
}

static bool is_near(uint64_t value, uint64_t limit)
{
    return limit > 0 && value >= limit / NEAR;
}

static void report(struct anvil_client *client, struct anvil_peer *peer, bool now)
{
    if (now) {
        synchronize(client, peer->stamp);
    } else {
        report_later(client);
    }
}

uint64_t anvil_count(struct anvil_client *client, struct anvil_peer *peer,
                     enum anvil_event event, uint64_t limit)
{
    CHECK(event < ANVIL_EVENTS);
    peer->pending[event]++;
    touch(client, peer);
    report(client, peer, is_near(known_rate(client, peer, event), limit));
    return known_rate(client, peer, event);
}

uint64_t anvil_rate(struct anvil_client *client, struct anvil_peer *peer,
                    enum anvil_event event, uint64_t limit)
{
    CHECK(event < ANVIL_EVENTS);
    /* Another process may have seen what we have not. */
    if (limit > 0) {
        touch(client, peer);
        report(client, peer, true);
    }
    return known_rate(client, peer, event);
}

uint64_t anvil_sessions(struct anvil_client *client, struct anvil_peer *peer,
                        uint64_t limit)
{
    if (is_near(known_sessions(client, peer), limit)) {
        touch(client, peer);
        report(client, peer, true);
    }
    return known_sessions(client, peer);
}

/* --- worker's side ------------------------------------------------------------------
 */

static void get_item(struct frame_reader *reader, struct anvil_item *item)
{
    item->ident = frame_get_view(reader);
    item->sessions = frame_get_u64(reader);
    item->most = frame_get_u64(reader);
    for (size_t i = 0; i < ANVIL_EVENTS; i++) {
        item->events[i] = frame_get_u64(reader);
    }
}

bool anvil_report_parse(uint8_t kind, struct view fields, struct arena *arena,
                        struct anvil_item **items_out, size_t *count_out)
{
    struct frame_reader reader;
    frame_reader_init(&reader, fields);
    uint64_t count = frame_get_u64(&reader);
    *count_out = 0;
    *items_out = NULL;
    /* Before anything is allocated for them. */
    if (kind != ANVIL_FRAME_REPORT || count > ANVIL_ITEMS_MAX ||
        count > reader.rest.len / (sizeof(uint64_t) * (2 + ANVIL_EVENTS))) {
        return false;
    }
    struct anvil_item *items = arena_alloc(arena, (count + 1) * sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        get_item(&reader, &items[i]);
    }
    *items_out = items;
    *count_out = (size_t)count;
    return frame_reader_ok(&reader);
}

bool anvil_send_totals(struct stream *client, const struct anvil_total *totals,
                       size_t count)
{
    STR_AUTO struct str frame = {0};
    frame_begin(&frame, ANVIL_FRAME_TOTALS);
    frame_put_u64(&frame, count);
    for (size_t i = 0; i < count; i++) {
        frame_put_u64(&frame, totals[i].sessions);
        for (size_t k = 0; k < ANVIL_EVENTS; k++) {
            frame_put_u64(&frame, totals[i].rates[k]);
        }
    }
    return frame_send_now(client, &frame);
}
