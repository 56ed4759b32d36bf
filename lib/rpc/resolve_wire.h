/* SPDX-License-Identifier: MIT */
/* How resolve_reply travels, in replies and in hand-overs.  Private to lib/rpc. */
#ifndef RPC_RESOLVE_WIRE_H
#define RPC_RESOLVE_WIRE_H

#include "base/arena.h"
#include "base/str.h"
#include "net/frame.h"
#include "rpc/resolve.h"

/* u64 count, then the replies. */
void resolve_put_replies(struct str *frame, const struct resolve_reply *replies,
                         size_t count);
/* The same, at most MOST, with their strings in ARENA.  False: their numbers make no
 * sense. */
NODISCARD bool resolve_get_replies(struct frame_reader *reader, struct arena *arena,
                                   size_t most, struct resolve_reply **replies_out,
                                   size_t *count_out);

#endif
