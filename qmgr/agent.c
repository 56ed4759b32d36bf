/* SPDX-License-Identifier: MIT */
/*
 * Connections to delivery agents, kept between deliveries.  An exclusive agent
 * serves one connection at a time, so a kept connection occupies a process: while
 * another delivery has waited for its first answer for a while (there may be no process
 * left for it), connections are closed after use instead of kept.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "net/connect.h"
#include "qmgr/qmgr.h"

/* Requests on one connection before it is given up, so that agents retire. */
enum { AGENT_MAX_REQUESTS = 500 };
/* Longer than it takes to start a process and deliver. */
enum { FIRST_ANSWER_USUAL = 100 * CLOCK_MILLISECOND };

struct agent *agent_get(struct transport *transport, struct err *err)
{
    while (!list_empty(&transport->idle)) {
        /* The last used one: its caches are warm, the others can time out. */
        struct agent *agent = LIST_ITEM(transport->idle.prev, struct agent, node);
        list_remove(&agent->node);
        if (!stream_readable_now(agent->stream)) {
            return agent;
        }
        agent_free(agent); /* the agent closed it */
    }
    STR_AUTO struct str path = {0};
    str_printf(&path, "private/%s", transport->name);
    int fd = connect_unix(str_ptr(&path), CLOCK_NEVER, err);
    if (fd < 0) {
        return NULL;
    }
    struct agent *agent = xcalloc(1, sizeof(*agent));
    list_init(&agent->node);
    agent->stream = stream_new(fd);
    return agent;
}

/* A delivery has waited for its first answer for so long that it may be waiting for a
 * process. */
static bool is_crowded(const struct transport *transport)
{
    return transport->unproven > 0 &&
           clock_now() - transport->unproven_since > FIRST_ANSWER_USUAL;
}

void agent_put(struct qmgr *qmgr, struct transport *transport, struct agent *agent)
{
    if (is_crowded(transport) || agent->requests >= AGENT_MAX_REQUESTS ||
        qmgr->service->stopping || !stream_ok(agent->stream)) {
        agent_free(agent);
        return;
    }
    agent->idle_since = clock_now();
    list_add_tail(&transport->idle, &agent->node);
}

void agent_free(struct agent *agent)
{
    stream_free(&agent->stream);
    free(agent);
}
