/* SPDX-License-Identifier: MIT */
#include "rpc/resolve_wire.h"

/* Least bytes that a reply takes. */
enum { WIRE_REPLY_MIN = 2 + 3 * 4 };

void resolve_put_replies(struct str *frame, const struct resolve_reply *replies,
                         size_t count)
{
    frame_put_u64(frame, count);
    for (size_t i = 0; i < count; i++) {
        frame_put_u8(frame, (uint8_t)replies[i].outcome);
        frame_put_u8(frame, (uint8_t)replies[i].address_class);
        frame_put_view(frame, replies[i].transport);
        frame_put_view(frame, replies[i].nexthop);
        frame_put_view(frame, replies[i].recipient);
    }
}

static bool get_reply(struct frame_reader *reader, struct arena *arena,
                      struct resolve_reply *reply)
{
    uint8_t outcome = frame_get_u8(reader);
    uint8_t class = frame_get_u8(reader);
    reply->transport = arena_view(arena, frame_get_view(reader));
    reply->nexthop = arena_view(arena, frame_get_view(reader));
    reply->recipient = arena_view(arena, frame_get_view(reader));
    reply->outcome = (enum outcome)outcome;
    reply->address_class = (enum address_class) class;
    bool known = class >= CLASS_LOCAL && class <= CLASS_DEFAULT;
    return !reader->failed && outcome <= PERMFAIL && (known || outcome != OK);
}

bool resolve_get_replies(struct frame_reader *reader, struct arena *arena, size_t most,
                         struct resolve_reply **replies_out, size_t *count_out)
{
    uint64_t count = frame_get_u64(reader);
    if (count > most || count > reader->rest.len / WIRE_REPLY_MIN) {
        return false;
    }
    struct resolve_reply *replies =
        arena_alloc(arena, ((size_t)count + 1) * sizeof(*replies));
    for (size_t i = 0; i < count; i++) {
        replies[i] = (struct resolve_reply){0};
        if (!get_reply(reader, arena, &replies[i])) {
            return false;
        }
    }
    *replies_out = replies;
    *count_out = (size_t)count;
    return true;
}
