/* SPDX-License-Identifier: MIT */
/*
 * Delivers nothing: as the service "error" every recipient bounces, as "retry"
 * every recipient is deferred, with the next hop as the reason ("4.3.2 deferred
 * transport").
 */
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "rpc/deliver_agent.h"
#include "service/service.h"
#include "sys/clock.h"

/* Code and text of the next hop; a code of the other kind is not believed. */
static void read_reason(struct view nexthop, bool retry,
                        struct deliver_outcome *outcome)
{
    const char *default_dsn = retry ? "4.0.0" : "5.0.0";
    outcome->status = retry ? DELIVER_DEFERRED : DELIVER_BOUNCED;
    deliver_split_dsn(nexthop, default_dsn, &outcome->dsn, &outcome->reason);
    if (outcome->dsn.ptr[0] != default_dsn[0]) {
        log_warning("%s_append: ignoring dsn code \"%.*s\"", retry ? "defer" : "bounce",
                    VIEW_ARG(outcome->dsn));
        outcome->dsn = view_cstr(default_dsn);
    }
}

static void refuse_all(struct service_context *context, struct stream *client,
                       const struct deliver_request *request, struct arena *arena)
{
    struct deliver_reply reply = {.count = request->recipient_count};
    struct deliver_outcome outcome = {.diagnostic_type = VIEW("X-Postfix")};
    int64_t now = clock_wall();
    const struct delivery_times times = {.arrival = request->arrival_time,
                                         .active = request->active_time,
                                         .handed = now,
                                         .done = now};
    read_reason(request->nexthop, strcmp(context->name, "retry") == 0, &outcome);
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
