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

static void discard_all(struct service_context *context, struct stream *client,
                        const struct deliver_request *request, struct arena *arena)
{
    struct err err;
    const bool probe = (request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0;
    struct deliver_reply reply = {.count = request->recipient_count};
    int64_t now = clock_wall();
    struct delivery_times times = {.arrival = request->arrival_time,
                                   .active = request->active_time,
                                   .handed = now,
                                   .done = now};
    FD_AUTO int fd = deliver_open_message(context->state, request, &err);
    reply.outcomes = arena_alloc(arena, reply.count * sizeof(*reply.outcomes));
    for (size_t i = 0; i < reply.count; i++) {
        struct deliver_outcome *outcome = &reply.outcomes[i];
        bool done =
            fd >= 0 &&
            (probe || queue_file_mark_done(fd, request->recipients[i].state_offset));
        *outcome = (struct deliver_outcome){
            .status = done ? DELIVER_SENT : DELIVER_DEFERRED,
            .dsn = done ? VIEW("2.0.0") : VIEW("4.3.0"),
            .action = done ? VIEW("relayed") : VIEW("delayed"),
            .reason = done ? request->nexthop : VIEW("queue file problem"),
            .diagnostic_type = VIEW("X-Postfix"),
        };
        deliver_report(context->conf, request, i, "none", &times, arena, outcome);
    }
    (void)deliver_send_reply(client, &reply);
}

static void discard_session(struct service_context *context, struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    while (service_await(context, client) &&
           deliver_receive_request(client, &arena, &request)) {
        discard_all(context, client, &request, &arena);
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static void discard_ready(struct service_context *context)
{
    context->state = queue_dirs_new(context->conf);
}

static const struct service discard_service = {
    .name = "discard",
    .kind = SERVICE_CONCURRENT,
    .ready = discard_ready,
    .session = discard_session,
};

int main(int argc, char **argv)
{
    return service_main(&discard_service, argc, argv);
}
