/* SPDX-License-Identifier: MIT */
#include "rpc/handover.h"

#include "mail/queue_dir.h"
#include "net/frame.h"
#include "rpc/resolve_wire.h"

bool handover_encode(const struct handover *handover, struct str *text_out)
{
    if (handover->head.len + handover->tail.len > HANDOVER_BYTES_MAX ||
        handover->count > HANDOVER_RECIPIENTS_MAX) {
        return false;
    }
    frame_put_view(text_out, handover->queue_id);
    frame_put_view(text_out, handover->head);
    frame_put_view(text_out, handover->tail);
    resolve_put_replies(text_out, handover->routes, handover->count);
    return str_ok(text_out);
}

bool handover_decode(struct view text, struct arena *arena,
                     struct handover *handover_out)
{
    struct frame_reader reader;
    frame_reader_init(&reader, text);
    handover_out->queue_id = frame_get_view(&reader);
    handover_out->head = frame_get_view(&reader);
    handover_out->tail = frame_get_view(&reader);
    return resolve_get_replies(&reader, arena, HANDOVER_RECIPIENTS_MAX,
                               &handover_out->routes, &handover_out->count) &&
           frame_reader_ok(&reader) && queue_id_valid(handover_out->queue_id);
}
