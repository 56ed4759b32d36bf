/* SPDX-License-Identifier: MIT */
/*
 * Claims delivery and drops the mail; the next hop is the text in the log.
 */
#include "base/arena.h"
#include "base/log.h"
#include "rpc/deliver_agent.h"
#include "service/service.h"
#include "sys/clock.h"
#include "sys/file.h"

/* A probe is told that it would be dropped; nothing changes. */
static bool mark_done(int fd, const struct deliver_request *request, size_t index)
{
    return (request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0 ||
           queue_file_mark_done(fd, request->recipients[index].state_offset);
}

static void discard_all(struct service_context *context, int fd,
                        const struct deliver_request *request, struct arena *arena,
                        struct deliver_reply *reply)
{
    int64_t now = clock_wall();
    const struct delivery_times times = {.arrival = request->arrival_time,
                                         .active = request->active_time,
                                         .handed = now,
                                         .done = now};
    *reply = (struct deliver_reply){.count = request->recipient_count};
    reply->outcomes = arena_alloc(arena, reply->count * sizeof(*reply->outcomes));
    for (size_t i = 0; i < reply->count; i++) {
        struct deliver_outcome *outcome = &reply->outcomes[i];
        bool done = mark_done(fd, request, i);
        *outcome = (struct deliver_outcome){
            .status = done ? DELIVER_SENT : DELIVER_DEFERRED,
            .dsn = done ? VIEW("2.0.0") : VIEW("4.3.0"),
            .action = done ? VIEW("relayed") : VIEW(""),
            .reason = done ? request->nexthop : VIEW("cannot update the queue file"),
            .diagnostic_type = VIEW("X-Postfix"),
        };
        deliver_report(context->conf, request, i, "none", &times, arena, outcome);
    }
}

static void discard_session(struct service_context *context, struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    struct deliver_reply reply;
    struct err err;
    while (service_await(context, client) &&
           deliver_receive_request(client, &arena, &request)) {
        FD_AUTO int fd = deliver_open_message(context->state, &request, &err);
        if (fd >= 0) {
            discard_all(context, fd, &request, &arena, &reply);
        } else {
            deliver_refuse(context->conf, &request, "none", &err, &arena, &reply);
        }
        (void)deliver_send_reply(client, &reply);
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static void discard_ready(struct service_context *context)
{
    context->state = queue_dirs_new(context->conf);
}

static void discard_close(struct service_context *context)
{
    struct queue_dirs *dirs = context->state;
    queue_dirs_free(&dirs);
    context->state = NULL;
}

static const struct service discard_service = {
    .name = "discard",
    .kind = SERVICE_CONCURRENT,
    .ready = discard_ready,
    .session = discard_session,
    .close = discard_close,
};

int main(int argc, char **argv)
{
    return service_main(&discard_service, argc, argv);
}
