/* SPDX-License-Identifier: MIT */
/*
 * The listing of the queue on its way from showq to postqueue.  The client connects,
 * says nothing, and gets one message after the other until the end frame; without that
 * the listing is cut off.
 */
#ifndef RPC_SHOWQ_H
#define RPC_SHOWQ_H

#include "mail/queue_list.h"
#include "net/stream.h"

enum showq_frame {
    SHOWQ_FRAME_MESSAGE = 'M',   /* queue name, queue ID, u64 arrival time, u64 size,
                                    u8 forced expire, sender, u64 number of recipients */
    SHOWQ_FRAME_RECIPIENT = 'R', /* address, reason; as many as announced */
    SHOWQ_FRAME_END = 'E'
};

/* Server.  Buffered; false when the client is gone.  Waits. */
bool showq_send_entry(struct stream *client, const struct queue_list_entry *entry);
bool showq_send_end(struct stream *client);
/* Client: the next entry, in ARENA.  False at the end; *COMPLETE_OUT tells a good one.
 * Waits. */
bool showq_receive_entry(struct stream *server, struct arena *arena,
                         struct queue_list_entry *entry_out, bool *complete_out);

#endif
