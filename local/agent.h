/* SPDX-License-Identifier: MIT */
/* The delivery agent without its service skeleton. */
#ifndef LOCAL_AGENT_H
#define LOCAL_AGENT_H

#include "local/local.h"

/* Tables and limits; while privileged. */
struct local *local_agent_open(struct service_context *context);
/* After the rights have been given up. */
void local_agent_ready(struct local *local);
bool local_agent_outdated(const struct local *local);
void local_agent_close(struct local **local);

/* One request; REPLY's strings live in ARENA. */
void local_agent_deliver(struct local *local, const struct deliver_request *request,
                         struct arena *arena, struct deliver_reply *reply);
/* The requests that CLIENT has sent at once, at least one of them, and their replies.
 * False: it has left, or broke the protocol. */
bool local_agent_serve(struct local *local, struct stream *client);

#endif
