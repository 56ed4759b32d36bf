/* SPDX-License-Identifier: MIT */
/*
 * The rewrite worker: tells those who must not block on a table (the queue manager)
 * where recipients go.  One request carries all recipients of a message.
 */
#include "base/arena.h"
#include "base/log.h"
#include "net/frame.h"
#include "route/route.h"
#include "service/service.h"

static void put_reply(struct str *frame, const struct resolve_reply *reply)
{
    frame_put_u8(frame, (uint8_t)reply->outcome);
    frame_put_u8(frame, (uint8_t)reply->address_class);
    frame_put_view(frame, reply->transport);
    frame_put_view(frame, reply->nexthop);
    frame_put_view(frame, reply->recipient);
}

/* A count that lies shows at the first address that is not there. */
static bool answer(struct route *route, struct frame_reader *request, struct str *frame)
{
    struct arena arena = {0};
    struct view sender = frame_get_view(request);
    uint64_t count = frame_get_u64(request);
    frame_begin(frame, RESOLVE_FRAME_REPLY);
    frame_put_u64(frame, count);
    for (uint64_t i = 0; i < count && !request->failed; i++) {
        struct view address = frame_get_view(request);
        struct resolve_reply reply;
        if (request->failed) {
            break;
        }
        route_resolve(route, sender, address, &arena, &reply);
        put_reply(frame, &reply);
    }
    arena_clear(&arena);
    return frame_reader_ok(request);
}

static void rewrite_session(struct service_context *context, struct stream *client)
{
    STR_AUTO struct str frame = {0};
    struct frame_reader request;
    uint8_t kind;
    while (service_await(context, client) && frame_receive(client, &kind, &request)) {
        if (kind != RESOLVE_FRAME_ASK || !answer(context->state, &request, &frame)) {
            log_warning("malformed request for address resolution");
            return;
        }
        if (!frame_send_now(client, &frame)) {
            return;
        }
    }
}

static void rewrite_open(struct service_context *context)
{
    context->state = route_open(context->conf);
}

static bool rewrite_outdated(struct service_context *context)
{
    return route_changed(context->state);
}

static void rewrite_close(struct service_context *context)
{
    struct route *route = context->state;
    route_close(&route);
    context->state = NULL;
}

static const struct service rewrite_service = {
    .name = "trivial-rewrite",
    .kind = SERVICE_CONCURRENT,
    .open = rewrite_open,
    .session = rewrite_session,
    .outdated = rewrite_outdated,
    .close = rewrite_close,
};

int main(int argc, char **argv)
{
    return service_main(&rewrite_service, argc, argv);
}
