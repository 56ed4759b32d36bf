/* SPDX-License-Identifier: MIT */
/*
 * Delivery into virtual mailboxes: requests one after the other, with the right to act
 * as the mailboxes' owners.
 */
#include <stdlib.h>

#include "virtual/agent.h"

static void virtual_open(struct service_context *context)
{
    context->state = virtual_agent_open(context);
}

static void virtual_ready(struct service_context *context)
{
    virtual_agent_ready(context->state);
}

static bool virtual_outdated(struct service_context *context)
{
    return virtual_agent_outdated(context->state);
}

static void virtual_close(struct service_context *context)
{
    struct virtual *agent = context->state;
    context->state = NULL;
    virtual_agent_close(&agent);
}

static void virtual_session(struct service_context *context, struct stream *client)
{
    struct virtual *agent = context->state;
    while (service_await(context, client) && batch_serve(&agent->batch, client)) {
    }
}

static const struct service virtual_service = {
    .name = "virtual",
    .kind = SERVICE_EXCLUSIVE,
    .keep_root = true,
    .open = virtual_open,
    .ready = virtual_ready,
    .session = virtual_session,
    .outdated = virtual_outdated,
    .close = virtual_close,
};

int main(int argc, char **argv)
{
    return service_main(&virtual_service, argc, argv);
}
