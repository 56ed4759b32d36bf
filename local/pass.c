/* SPDX-License-Identifier: MIT */
/*
 * Handing a recipient to another delivery agent (mailbox_transport,
 * fallback_transport), which logs and answers as if the queue manager had asked.
 */
#include "base/log.h"
#include "local/local.h"
#include "net/connect.h"
#include "sys/clock.h"

/* PATH and the one recipient; true when the agent answered. */
static bool ask_agent(struct node *node, struct view nexthop, const char *path)
{
    struct tree *tree = node->tree;
    struct local_message *message = tree->message;
    struct queue_recipient recipient = message->request->recipients[tree->index];
    struct deliver_request request = *message->request;
    struct deliver_reply reply;
    struct err err;
    recipient.address = node->address;
    request.recipients = &recipient;
    request.recipient_count = 1;
    request.nexthop = nexthop;
    request.sender = node->sender;
    request.may_remove = false; /* it answers for one of ours */
    batch_before_slow(&message->local->batch);
    int fd = connect_unix(path, CLOCK_NEVER, &err);
    if (fd < 0) {
        log_warning("connect to transport %s: %s", path, err.text);
        return false;
    }
    struct stream *agent = stream_new(fd);
    bool answered = deliver_send_request(agent, &request) &&
                    deliver_receive_reply(agent, message->arena, &reply) &&
                    reply.count == 1;
    if (answered) {
        tree_take(node, &reply.outcomes[0]);
    }
    stream_free(&agent);
    return answered;
}

/* It would come back to us, and wait for the process that waits for it. */
static bool is_ourselves(const struct node *node, struct view transport)
{
    return view_equal_cstr(transport, node->tree->message->local->service->name);
}

static void pass_to(struct node *node, struct view spec)
{
    struct arena *arena = node->tree->message->arena;
    size_t colon = view_index(spec, ':');
    struct view transport = view_first(spec, colon);
    struct view nexthop = view_from(spec, colon + 1);
    if (nexthop.len == 0) {
        nexthop = node->domain;
    }
    if (transport.len == 0 || view_index(transport, '/') < transport.len ||
        is_ourselves(node, transport)) {
        log_warning("bad transport for local recipients: %.*s", VIEW_ARG(spec));
        tree_failed(node, TEMPFAIL, "4.3.5", "mail system configuration error");
        return;
    }
    const char *path = arena_printf(arena, "private/%.*s", VIEW_ARG(transport));
    if (!ask_agent(node, nexthop, path)) {
        tree_failed(node, TEMPFAIL, "4.3.0", "mail transport unavailable");
    }
}

bool pass_to_maps(struct node *node, struct maps *maps, const char *fixed)
{
    if (maps_empty(maps) && fixed[0] == '\0') {
        return false;
    }
    STR_AUTO struct str spec = {0};
    struct err err;
    rights_settle(&node->tree->message->local->rights);
    switch (maps_find(maps, node->user, &spec, NULL, &err)) {
    case MAP_FOUND:
        break;
    case MAP_ERROR:
        log_warning("%s", err.text);
        tree_failed(node, TEMPFAIL, "4.3.0", "transport lookup error");
        return true;
    case MAP_MISSING:
        str_set_cstr(&spec, fixed);
        break;
    }
    if (spec.len == 0) {
        return false;
    }
    pass_to(node, arena_view(node->tree->message->arena, str_view(&spec)));
    return true;
}
