/* SPDX-License-Identifier: MIT */
/*
 * The queue manager is told of a message with all it has to know: the envelope, which
 * is still in memory, and the recipients' destinations, which are found out here, where
 * tables may be waited for.  What is too large for that, or could not be resolved, is
 * announced by its ID alone; then the queue manager reads and asks.
 */
#include "cleanup/cleanup.h"
#include "rpc/handover.h"

void announce_note(struct message *message, struct view address)
{
    if (message->address_count < HANDOVER_RECIPIENTS_MAX) {
        if (message->addresses == NULL) {
            message->addresses = arena_alloc(
                &message->arena, HANDOVER_RECIPIENTS_MAX * sizeof(*message->addresses));
        }
        message->addresses[message->address_count] = address;
    }
    message->address_count++;
}

void announce_resolve(struct message *message)
{
    const size_t count = message->address_count;
    if (count == 0 || count > HANDOVER_RECIPIENTS_MAX) {
        return;
    }
    struct resolve_reply *routes =
        arena_alloc(&message->arena, count * sizeof(*routes));
    for (size_t i = 0; i < count; i++) {
        route_resolve(message->settings->route, message->sender, message->addresses[i],
                      &message->arena, &routes[i]);
        if (routes[i].outcome != OK) {
            return; /* the queue manager asks again, and then knows what to say */
        }
    }
    message->routes = routes;
}

static bool encode(const struct message *message, struct str *text)
{
    struct handover handover = {.queue_id = view_cstr(message->id),
                                .routes = message->routes,
                                .count = message->address_count};
    return message->routes != NULL &&
           queue_writer_envelope(message->writer, &handover.head, &handover.tail) &&
           handover_encode(&handover, text);
}

void announce_send(struct message *message)
{
    STR_AUTO struct str text = {0};
    struct notify_channel *qmgr = message->settings->qmgr;
    /* Mail that is not announced is found by the queue manager's scans. */
    if (encode(message, &text)) {
        (void)notify_channel_send(qmgr, NOTIFY_MESSAGE, str_view(&text));
    } else {
        (void)notify_channel_send(qmgr, NOTIFY_NEW, view_cstr(message->id));
    }
}
