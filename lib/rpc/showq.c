/* SPDX-License-Identifier: MIT */
#include "rpc/showq.h"

#include "net/frame.h"

bool showq_send_entry(struct stream *client, const struct queue_list_entry *entry)
{
    STR_AUTO struct str frame = {0};
    frame_begin(&frame, SHOWQ_FRAME_MESSAGE);
    frame_put_view(&frame, entry->queue_name);
    frame_put_view(&frame, entry->queue_id);
    frame_put_u64(&frame, (uint64_t)entry->arrival_time);
    frame_put_u64(&frame, (uint64_t)entry->size);
    frame_put_u8(&frame, entry->forced_expire);
    frame_put_view(&frame, entry->sender);
    frame_put_u64(&frame, entry->recipient_count);
    bool ok = frame_send(client, &frame);
    for (size_t i = 0; i < entry->recipient_count && ok; i++) {
        frame_begin(&frame, SHOWQ_FRAME_RECIPIENT);
        frame_put_view(&frame, entry->recipients[i].address);
        frame_put_view(&frame, entry->recipients[i].reason);
        ok = frame_send(client, &frame);
    }
    return ok;
}

bool showq_send_end(struct stream *client)
{
    STR_AUTO struct str frame = {0};
    frame_begin(&frame, SHOWQ_FRAME_END);
    return frame_send_now(client, &frame);
}

static bool receive_recipients(struct stream *server, struct arena *arena,
                               struct queue_list_entry *entry, uint64_t count)
{
    enum { RECIPIENTS_MAX = 5 * 1000 * 1000 };
    if (count > RECIPIENTS_MAX) {
        return false;
    }
    entry->recipients =
        arena_alloc(arena, (size_t)(count + 1) * sizeof(*entry->recipients));
    for (; entry->recipient_count < count; entry->recipient_count++) {
        struct frame_reader reader;
        uint8_t kind;
        if (!frame_receive(server, &kind, &reader) || kind != SHOWQ_FRAME_RECIPIENT) {
            return false;
        }
        struct queue_list_recipient *recipient =
            &entry->recipients[entry->recipient_count];
        recipient->address = arena_view(arena, frame_get_view(&reader));
        recipient->reason = arena_view(arena, frame_get_view(&reader));
        if (!frame_reader_ok(&reader)) {
            return false;
        }
    }
    return true;
}

bool showq_receive_entry(struct stream *server, struct arena *arena,
                         struct queue_list_entry *entry_out, bool *complete_out)
{
    struct frame_reader reader;
    uint8_t kind;
    *complete_out = false;
    if (!frame_receive(server, &kind, &reader)) {
        return false;
    }
    if (kind != SHOWQ_FRAME_MESSAGE) {
        *complete_out = kind == SHOWQ_FRAME_END;
        return false;
    }
    *entry_out = (struct queue_list_entry){0};
    entry_out->queue_name = arena_view(arena, frame_get_view(&reader));
    entry_out->queue_id = arena_view(arena, frame_get_view(&reader));
    entry_out->arrival_time = (int64_t)frame_get_u64(&reader);
    entry_out->size = (int64_t)frame_get_u64(&reader);
    entry_out->forced_expire = frame_get_u8(&reader) != 0;
    entry_out->sender = arena_view(arena, frame_get_view(&reader));
    uint64_t count = frame_get_u64(&reader);
    return frame_reader_ok(&reader) &&
           receive_recipients(server, arena, entry_out, count);
}
