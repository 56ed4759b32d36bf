/* SPDX-License-Identifier: MIT */
/*
 * Delivers nothing: as the service "error" every recipient bounces, as "retry"
 * every recipient is deferred, with the next hop as the reason ("4.3.2 deferred
 * transport").
 */
#include "base/arena.h"
#include "rpc/deliver_agent.h"
#include "service/service.h"
#include "sys/clock.h"

static void refuse_all(struct service_context *context, struct stream *client,
                       const struct deliver_request *request, struct arena *arena)
{
    bool retry = strcmp(context->name, "retry") == 0;
    struct deliver_reply reply = {.count = request->recipient_count};
    struct deliver_outcome outcome = {
        .status = retry ? DELIVER_DEFERRED : DELIVER_BOUNCED,
        .diagnostic_type = VIEW("X-Postfix"),
    };
    deliver_split_dsn(request->nexthop, retry ? "4.0.0" : "5.0.0", &outcome.dsn,
                      &outcome.reason);
    int64_t now = clock_wall();
    struct delivery_times times = {.arrival = request->arrival_time,
                                   .active = request->active_time,
                                   .handed = now,
                                   .done = now};
    reply.outcomes = arena_alloc(arena, reply.count * sizeof(outcome));
    for (size_t i = 0; i < reply.count; i++) {
        reply.outcomes[i] = outcome;
        deliver_report(context->conf, request, i, "none", &times, arena,
                       &reply.outcomes[i]);
    }
    (void)deliver_send_reply(client, &reply);
}

static void error_session(struct service_context *context, struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    while (service_await(context, client) &&
           deliver_receive_request(client, &arena, &request)) {
        refuse_all(context, client, &request, &arena);
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static const struct service error_service = {
    .name = "error",
    .kind = SERVICE_CONCURRENT,
    .session = error_session,
};

int main(int argc, char **argv)
{
    return service_main(&error_service, argc, argv);
}
