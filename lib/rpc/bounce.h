/* SPDX-License-Identifier: MIT */
/*
 * The queue manager asks for a notice to the sender, made from the records in
 * bounce/ID, defer/ID or trace/ID.  A true answer means the notice is in the
 * queue (or none is owed): the log file and the message may go.
 */
#ifndef RPC_BOUNCE_H
#define RPC_BOUNCE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "net/stream.h"

enum bounce_kind { BOUNCE_FAILED = 'b', BOUNCE_DELAYED = 'w', BOUNCE_TRACE = 't' };

struct bounce_request {
    enum bounce_kind kind;
    struct view queue_name, queue_id; /* where the message is */
    struct view sender;               /* envelope sender; empty: null sender */
    struct view dsn_envid;
    uint8_t dsn_ret;
};
/* SERVICE: "bounce", "defer" or "trace" as named by the *_service_name parameters.
 * Waits. */
NODISCARD enum outcome
bounce_ask(const char *service, const struct bounce_request *request, struct err *err);

/* Server's side: the next request, its strings in ARENA; false when the client has left
 * or broke the protocol (then the stream is in error).  Waits. */
bool bounce_receive(struct stream *client, struct arena *arena,
                    struct bounce_request *request_out);
bool bounce_send_reply(struct stream *client, enum outcome outcome, struct view text);

enum bounce_frame {
    BOUNCE_FRAME_ASK = 'B',  /* u8 kind, queue_name, queue_id, sender, envid,
                                u8 ret -> REPLY */
    BOUNCE_FRAME_REPLY = 'r' /* u8 outcome, text */
};

#endif
