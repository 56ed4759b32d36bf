/* SPDX-License-Identifier: MIT */
/* Both sides of the protocol that proxy.h describes. */
#include <errno.h>

#include "map/proxy.h"

/* --- requests ---------------------------------------------------------------- */

bool proxy_request_send(struct stream *stream, struct str *scratch,
                        const struct proxy_request *request)
{
    frame_begin(scratch, (uint8_t)request->kind);
    frame_put_view(scratch, request->table);
    frame_put_u64(scratch, request->flags);
    if (request->kind != PROXY_WALK) {
        frame_put_view(scratch, request->key);
    }
    if (request->kind == PROXY_UPDATE) {
        frame_put_view(scratch, request->value);
    }
    return frame_send_now(stream, scratch);
}

bool proxy_request_parse(uint8_t kind, struct frame_reader *reader,
                         struct proxy_request *out)
{
    *out = (struct proxy_request){.kind = (enum proxy_kind)kind};
    if (kind < PROXY_LOOKUP || kind > PROXY_WALK) {
        return false;
    }
    out->table = frame_get_view(reader);
    uint64_t flags = frame_get_u64(reader);
    out->flags = (unsigned)flags;
    if (kind != PROXY_WALK) {
        out->key = frame_get_view(reader);
    }
    if (kind == PROXY_UPDATE) {
        out->value = frame_get_view(reader);
    }
    return frame_reader_ok(reader) && flags <= UINT32_MAX;
}

bool proxy_request_receive(struct stream *stream, struct proxy_request *out)
{
    uint8_t kind;
    struct frame_reader reader;
    if (!frame_receive(stream, &kind, &reader)) {
        return false;
    }
    if (!proxy_request_parse(kind, &reader, out)) {
        stream_fail(stream, EPROTO);
        return false;
    }
    return true;
}

/* --- replies ----------------------------------------------------------------- */

bool proxy_reply_send(struct stream *stream, struct str *scratch,
                      const struct proxy_reply *reply)
{
    frame_begin(scratch, (uint8_t)reply->kind);
    if (reply->kind != PROXY_MISSING) {
        frame_put_view(scratch, reply->text);
    }
    if (reply->kind == PROXY_ENTRY) {
        frame_put_view(scratch, reply->value);
        return frame_send(stream, scratch);
    }
    return frame_send_now(stream, scratch);
}

bool proxy_reply_parse(uint8_t kind, struct frame_reader *reader,
                       struct proxy_reply *out)
{
    *out = (struct proxy_reply){
        .kind = (enum proxy_kind)kind, .text = view_of("", 0), .value = view_of("", 0)};
    if (kind < PROXY_FOUND || kind > PROXY_ENTRY) {
        return false;
    }
    if (kind != PROXY_MISSING) {
        out->text = frame_get_view(reader);
    }
    if (kind == PROXY_ENTRY) {
        out->value = frame_get_view(reader);
    }
    return frame_reader_ok(reader);
}

bool proxy_reply_receive(struct stream *stream, struct proxy_reply *out)
{
    uint8_t kind;
    struct frame_reader reader;
    if (!frame_receive(stream, &kind, &reader)) {
        return false;
    }
    if (!proxy_reply_parse(kind, &reader, out)) {
        stream_fail(stream, EPROTO);
        return false;
    }
    return true;
}
