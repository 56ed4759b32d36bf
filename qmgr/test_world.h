/* SPDX-License-Identifier: MIT */
/*
 * The world around the queue manager, for its tests: a queue in a temporary directory,
 * and the services it talks to (resolver, delivery agents, bounce) as fibers of the
 * test's own loop, each with a script.
 */
#ifndef QMGR_TEST_WORLD_H
#define QMGR_TEST_WORLD_H

#include "testing/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/address.h"
#include "net/connect.h"
#include "qmgr/qmgr.h"
#include "rpc/bounce.h"
#include "sys/file.h"

enum {
    AGENTS_MAX = 4,
    POLL_EVERY = 2 * CLOCK_MILLISECOND,
    PATIENCE = 20 * CLOCK_SECOND
};

struct world;

/* What an agent does with a request: false: it dies without an answer. */
typedef bool (*agent_script)(struct world *world, const struct deliver_request *request,
                             struct arena *arena, struct deliver_reply *reply);

struct listener {
    struct world *world;
    const char *service;
    int fd;
    void (*session)(struct world *world, const char *service, struct stream *client);
};

struct world {
    char *dir, *home;
    struct service_context context;
    struct conf *conf;
    struct qmgr *qmgr;
    struct listener listeners[16];
    size_t listener_count;
    bool stopping;

    agent_script agent;
    int deaths; /* that agents are still to die */
    int in_progress, most_in_progress;
    int64_t work_time; /* that a delivery takes */
    bool resolver_fails;

    enum outcome bounce_outcome;
    unsigned batch;   /* what agents ask for */
    int more_waiting; /* requests that had another one right behind */
    /* What happened, one line each. */
    struct str requests, bounces, log;
    bool done_when_bounced; /* a recipient was marked done when the notice was asked for
                             */
};

/* --- queue files ----------------------------------------------------------------- */

static inline void write_message(struct world *world, const char *queue,
                                 const char *sender, const char *recipients,
                                 int64_t age_seconds, unsigned flags,
                                 char id[QUEUE_ID_MAX])
{
    struct err err;
    struct view rest = view_cstr(recipients);
    struct view word;
    int fd = queue_create(world->qmgr->dirs, QUEUE_INCOMING, false, id, &err);
    assert_true(fd >= 0);
    struct queue_writer *writer =
        queue_writer_new(fd, clock_wall() - age_seconds * CLOCK_SECOND);
    queue_writer_set_flags(writer, flags);
    queue_writer_sender(writer, view_cstr(sender));
    while (view_next_word(&rest, " ", &word)) {
        struct queue_recipient recipient = {.address = word, .original = word};
        queue_writer_recipient(writer, &recipient);
    }
    queue_writer_content(writer, VIEW("Subject: test\n\nbody\n"));
    assert_int_equal(queue_writer_commit(writer, false, &err), OK);
    queue_writer_free(&writer);
    if (strcmp(queue, QUEUE_INCOMING) != 0) {
        assert_true(queue_move(world->qmgr->dirs, QUEUE_INCOMING, queue, id));
    }
}

/* In incoming/, and announced. */
static inline void submit(struct world *world, const char *sender,
                          const char *recipients, char id[QUEUE_ID_MAX])
{
    write_message(world, QUEUE_INCOMING, sender, recipients, 0, 0, id);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, view_cstr(id)));
}

static inline bool is_in(const struct world *world, const char *queue, const char *id)
{
    STR_AUTO struct str path = {0};
    struct stat st;
    queue_path(world->qmgr->dirs, queue, id, &path);
    return lstat(str_ptr(&path), &st) == 0;
}

static inline bool is_gone(const struct world *world, const char *id)
{
    return !is_in(world, QUEUE_INCOMING, id) && !is_in(world, QUEUE_ACTIVE, id) &&
           !is_in(world, QUEUE_DEFERRED, id) && !is_in(world, QUEUE_CORRUPT, id);
}

/* Seconds from now until the next attempt. */
static inline long retry_in(const struct world *world, const char *id)
{
    STR_AUTO struct str path = {0};
    struct stat st;
    queue_path(world->qmgr->dirs, QUEUE_DEFERRED, id, &path);
    assert_int_equal(stat(str_ptr(&path), &st), 0);
    return (long)(st.st_mtime - clock_wall() / CLOCK_SECOND);
}

static inline size_t pending_in(const struct world *world, const char *queue,
                                const char *id)
{
    struct arena arena = {0};
    struct queue_message message;
    struct err err;
    FD_AUTO int fd = queue_open(world->qmgr->dirs, queue, id, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(queue_file_read(fd, &arena, &message, &err), OK);
    size_t pending = message.recipients_pending;
    arena_clear(&arena);
    return pending;
}

/* The records of a log as "recipient dsn action (reason)" lines. */
static inline const char *log_text(struct world *world, const char *log, const char *id)
{
    static struct str text; /* of the last call */
    struct arena arena = {0};
    struct delivery_record *records = NULL;
    size_t count = 0;
    struct err err;
    str_clear(&text);
    assert_int_equal(
        delivery_log_read(world->qmgr->dirs, log, id, &arena, &records, &count, &err),
        OK);
    for (size_t i = 0; i < count; i++) {
        str_printf(&text, "%.*s %.*s %.*s (%.*s)\n", VIEW_ARG(records[i].recipient),
                   VIEW_ARG(records[i].dsn), VIEW_ARG(records[i].action),
                   VIEW_ARG(records[i].reason));
    }
    arena_clear(&arena);
    char *copy = xstrdup(str_ptr(&text));
    str_done(&text);
    str_set_cstr(&world->log, copy);
    free(copy);
    return str_ptr(&world->log);
}

/* --- services -------------------------------------------------------------------- */

/* user@DOMAIN goes to DOMAIN by smtp; "local.test" is ours; "T--H.test" goes to H by
 * T. */
static inline void resolve_one(struct view address, struct arena *arena,
                               struct resolve_reply *reply)
{
    struct view domain = address_split(address).domain;
    size_t dashes = view_index(domain, '-');
    *reply = (struct resolve_reply){.outcome = OK,
                                    .transport = VIEW("smtp"),
                                    .nexthop = arena_view(arena, domain),
                                    .recipient = address,
                                    .address_class = CLASS_DEFAULT};
    if (view_equal_nocase_cstr(domain, "local.test")) {
        reply->transport = VIEW("local");
        reply->address_class = CLASS_LOCAL;
    } else if (dashes < domain.len) {
        reply->transport = view_first(domain, dashes);
        reply->nexthop = view_from(domain, dashes + 2);
    } else if (view_equal_cstr(domain, "unresolved.test")) {
        reply->outcome = TEMPFAIL;
    }
}

static inline void resolver_session(struct world *world, const char *service,
                                    struct stream *client)
{
    struct arena arena = {0};
    struct resolve_request request;
    (void)service;
    while (!world->resolver_fails && resolve_receive(client, &arena, &request)) {
        struct resolve_reply *replies =
            arena_alloc(&arena, (request.count + 1) * sizeof(*replies));
        for (size_t i = 0; i < request.count; i++) {
            resolve_one(request.addresses[i], &arena, &replies[i]);
        }
        (void)resolve_send_reply(client, replies, request.count);
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static inline void note_request(struct world *world, const char *service,
                                const struct deliver_request *request)
{
    str_printf(&world->requests, "%s %.*s:", service, VIEW_ARG(request->nexthop));
    for (size_t i = 0; i < request->recipient_count; i++) {
        str_printf(&world->requests, " %.*s", VIEW_ARG(request->recipients[i].address));
    }
    str_add_byte(&world->requests, '\n');
}

static inline void mark_done(struct world *world, const struct deliver_request *request,
                             size_t index)
{
    char id[QUEUE_ID_MAX];
    (void)snprintf(id, sizeof(id), "%.*s", VIEW_ARG(request->queue_id));
    const char *queue = view_equal_cstr(request->queue_name, QUEUE_INCOMING)
                            ? QUEUE_INCOMING
                            : QUEUE_ACTIVE;
    FD_AUTO int fd = queue_open(world->qmgr->dirs, queue, id, O_RDWR);
    assert_true(fd >= 0);
    assert_true(queue_file_mark_done(fd, request->recipients[index].state_offset));
}

/* By local part: "bounce..." and "defer..." do what they say, others are delivered. */
static inline bool by_local_part(struct world *world,
                                 const struct deliver_request *request,
                                 struct arena *arena, struct deliver_reply *reply)
{
    (void)arena;
    for (size_t i = 0; i < reply->count; i++) {
        struct view address = request->recipients[i].address;
        struct deliver_outcome *outcome = &reply->outcomes[i];
        if (view_starts(address, VIEW("bounce"))) {
            *outcome = (struct deliver_outcome){.status = DELIVER_BOUNCED,
                                                .dsn = VIEW("5.1.1"),
                                                .reason = VIEW("no such user ")};
        } else if (view_starts(address, VIEW("defer"))) {
            *outcome = (struct deliver_outcome){.status = DELIVER_DEFERRED,
                                                .dsn = VIEW("4.2.0"),
                                                .reason = VIEW("not now")};
        } else {
            *outcome = (struct deliver_outcome){.status = DELIVER_SENT,
                                                .dsn = VIEW("2.0.0"),
                                                .action = VIEW("relayed"),
                                                .reason = VIEW("ok")};
            mark_done(world, request, i);
        }
        outcome->relay = VIEW("test");
    }
    return true;
}

static inline void agent_session(struct world *world, const char *service,
                                 struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    while (deliver_receive_request(client, &arena, &request)) {
        struct deliver_reply reply = {.count = request.recipient_count,
                                      .batch = world->batch};
        reply.outcomes = arena_alloc(&arena, reply.count * sizeof(*reply.outcomes));
        note_request(world, service, &request);
        world->more_waiting += stream_pending(client) > 0;
        world->in_progress++;
        if (world->in_progress > world->most_in_progress) {
            world->most_in_progress = world->in_progress;
        }
        if (world->work_time > 0) {
            (void)task_sleep_until(clock_now() + world->work_time);
        }
        world->in_progress--;
        if (!world->agent(world, &request, &arena, &reply) ||
            !deliver_send_reply(client, &reply)) {
            break;
        }
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

/* The retry service: everything is deferred with the next hop as the reason. */
static inline void retry_session(struct world *world, const char *service,
                                 struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    while (deliver_receive_request(client, &arena, &request)) {
        struct deliver_reply reply = {.count = request.recipient_count};
        reply.outcomes = arena_alloc(&arena, reply.count * sizeof(*reply.outcomes));
        note_request(world, service, &request);
        for (size_t i = 0; i < reply.count; i++) {
            reply.outcomes[i] =
                (struct deliver_outcome){.status = DELIVER_DEFERRED,
                                         .dsn = view_first(request.nexthop, 5),
                                         .reason = view_from(request.nexthop, 6)};
        }
        (void)deliver_send_reply(client, &reply);
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static inline void bounce_session(struct world *world, const char *service,
                                  struct stream *client)
{
    struct arena arena = {0};
    struct bounce_request request;
    while (bounce_receive(client, &arena, &request)) {
        char id[QUEUE_ID_MAX];
        (void)snprintf(id, sizeof(id), "%.*s", VIEW_ARG(request.queue_id));
        str_printf(&world->bounces, "%s <%.*s>\n", service, VIEW_ARG(request.sender));
        static const char *const logs[] = {QUEUE_BOUNCE_LOG, QUEUE_DEFER_LOG,
                                           QUEUE_TRACE_LOG};
        size_t log = request.kind == BOUNCE_FAILED
                         ? 0
                         : (request.kind == BOUNCE_DELAYED ? 1 : 2);
        str_add_cstr(&world->bounces, log_text(world, logs[log], id));
        (void)task_sleep_until(clock_now() + 10 * CLOCK_MILLISECOND);
        (void)bounce_send_reply(client, world->bounce_outcome, VIEW("as told"));
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

struct connection {
    struct listener *listener;
    int fd;
};

static inline void connection_fiber(void *context)
{
    struct connection connection = *(struct connection *)context;
    struct stream *client = stream_new(connection.fd);
    free(context);
    connection.listener->session(connection.listener->world,
                                 connection.listener->service, client);
    stream_free(&client);
}

static inline void listener_fiber(void *context)
{
    struct listener *listener = context;
    while (!listener->world->stopping) {
        (void)task_wait(listener->fd, TASK_READ, clock_now() + POLL_EVERY);
        int fd = net_accept(listener->fd);
        if (fd >= 0) {
            struct connection *connection = xmalloc(sizeof(*connection));
            *connection = (struct connection){listener, fd};
            (void)task_spawn("test service", connection_fiber, connection);
        }
    }
    fd_close(&listener->fd);
}

static inline void serve(struct world *world, const char *service,
                         void (*session)(struct world *, const char *, struct stream *))
{
    struct err err;
    char *path = xasprintf("private/%s", service);
    CHECK(world->listener_count < ARRAY_SIZE(world->listeners));
    struct listener *listener = &world->listeners[world->listener_count++];
    *listener =
        (struct listener){world, service, listen_unix(path, 100, &err), session};
    assert_true(listener->fd >= 0);
    free(path);
    (void)task_spawn("test listener", listener_fiber, listener);
}

/* --- the loop -------------------------------------------------------------------- */

struct condition {
    bool (*met)(struct world *world, const char *id);
    struct world *world;
    const char *id;
    bool was_met;
};

static inline void watch_fiber(void *context)
{
    struct condition *condition = context;
    int64_t deadline = clock_now() + PATIENCE;
    while (clock_now() < deadline &&
           !(condition->was_met = condition->met(condition->world, condition->id))) {
        (void)task_sleep_until(clock_now() + POLL_EVERY);
    }
    task_stop();
}

/* Run everything until MET says so, or fail. */
static inline void run_until(struct world *world,
                             bool (*met)(struct world *world, const char *id),
                             const char *id)
{
    struct condition condition = {met, world, id, false};
    (void)task_spawn("test watch", watch_fiber, &condition);
    task_run(false);
    assert_true(condition.was_met);
}

/* No message in memory or announced. */
static inline bool all_quiet(struct world *world, const char *id)
{
    (void)id;
    return htab_count(world->qmgr->by_id) == 0 &&
           htab_count(world->qmgr->arrival_ids) == 0;
}

static inline bool is_deferred(struct world *world, const char *id)
{
    return is_in(world, QUEUE_DEFERRED, id) && all_quiet(world, id);
}

static inline bool is_removed(struct world *world, const char *id)
{
    return is_gone(world, id) && all_quiet(world, id);
}

static inline bool is_corrupt(struct world *world, const char *id)
{
    return is_in(world, QUEUE_CORRUPT, id) && all_quiet(world, id);
}

/* --- life ------------------------------------------------------------------------ */

/* SETTINGS: main.cf text.  Agents "smtp" and "local", and all other services. */
static inline struct world *world_new(const char *settings)
{
    static const char *const dirs[] = {"incoming", "active", "deferred", "corrupt",
                                       "defer",    "bounce", "trace",    "private"};
    struct world *world = xcalloc(1, sizeof(*world));
    struct err err;
    char here[4096];
    assert_non_null(getcwd(here, sizeof(here)));
    world->home = xstrdup(here);
    world->dir = test_make_dir();
    assert_int_equal(chdir(world->dir), 0);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        assert_int_equal(mkdir(dirs[i], 0700), 0);
    }
    world->conf = conf_open_text(world->dir, settings, &err);
    assert_non_null(world->conf);
    world->context.conf = world->conf;
    world->agent = by_local_part;
    task_init();
    world->qmgr = qmgr_new(&world->context);
    serve(world, "rewrite", resolver_session);
    serve(world, "smtp", agent_session);
    serve(world, "local", agent_session);
    serve(world, "retry", retry_session);
    serve(world, "bounce", bounce_session);
    serve(world, "defer", bounce_session);
    serve(world, "trace", bounce_session);
    return world;
}

static inline void world_start(struct world *world)
{
    intake_start(world->qmgr);
    scan_start(world->qmgr);
}

static inline bool only_watching(struct world *world, const char *id)
{
    (void)id;
    (void)world;
    return task_fiber_count() == 1;
}

static inline void world_free(struct world *world)
{
    assert_true(all_quiet(world, NULL));
    qmgr_stop(world->qmgr);
    world->stopping = true;
    (void)task_sleep_until(clock_now() + 10 * CLOCK_MILLISECOND);
    qmgr_free(&world->qmgr);
    run_until(world, only_watching, NULL);
    task_done();
    conf_free(&world->conf);
    str_done(&world->requests);
    str_done(&world->bounces);
    str_done(&world->log);
    assert_int_equal(chdir(world->home), 0);
    free(world->home);
    test_remove_dir(world->dir);
    free(world);
}

#endif
