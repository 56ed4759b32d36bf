/* SPDX-License-Identifier: MIT */
/*
 * What cleanup tells the queue manager about a message that it has just made durable:
 * all that the queue file says but for the content, and where each recipient goes.  The
 * queue manager need neither read the file nor ask the resolver.  It travels as the
 * text of a NOTIFY_MESSAGE; large envelopes are announced by NOTIFY_NEW instead.
 */
#ifndef RPC_HANDOVER_H
#define RPC_HANDOVER_H

#include "base/arena.h"
#include "base/str.h"
#include "base/view.h"
#include "rpc/resolve.h"

/* Envelopes above these are better read from the file, once they are wanted. */
enum { HANDOVER_BYTES_MAX = 32 * 1024, HANDOVER_RECIPIENTS_MAX = 100 };

struct handover {
    struct view queue_id;
    struct view head, tail;       /* queue_writer_envelope() */
    struct resolve_reply *routes; /* of the recipients, in the order of the file */
    size_t count;
};

/* False: too large. */
NODISCARD bool handover_encode(const struct handover *handover, struct str *text_out);
/* The routes lie in ARENA, the other views point into TEXT.  False: malformed. */
NODISCARD bool handover_decode(struct view text, struct arena *arena,
                               struct handover *handover_out);

#endif
