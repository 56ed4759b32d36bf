/* SPDX-License-Identifier: MIT */
/*
 * Local delivery: one request at a time, with the right to act as the recipient.
 * Everything that a user controls (mailboxes, .forward, commands) is touched with
 * that user's rights only.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "local/agent.h"

static void local_open(struct service_context *context)
{
    context->state = local_agent_open(context);
}

static void local_ready(struct service_context *context)
{
    local_agent_ready(context->state);
}

static bool local_outdated(struct service_context *context)
{
    return local_agent_outdated(context->state);
}

static void local_close(struct service_context *context)
{
    struct local *local = context->state;
    context->state = NULL;
    local_agent_close(&local);
}

static void local_session(struct service_context *context, struct stream *client)
{
    while (service_await(context, client) &&
           local_agent_serve(context->state, client)) {
    }
}

static const struct service local_service = {
    .name = "local",
    .kind = SERVICE_EXCLUSIVE,
    .keep_root = true,
    .open = local_open,
    .ready = local_ready,
    .session = local_session,
    .outdated = local_outdated,
    .close = local_close,
};

int main(int argc, char **argv)
{
    return service_main(&local_service, argc, argv);
}
