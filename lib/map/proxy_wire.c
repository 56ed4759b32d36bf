/* SPDX-License-Identifier: MIT */
/* Both sides of the protocol that proxy.h describes. */
#include <errno.h>

#include "map/proxy.h"
#include "net/frame.h"

bool proxy_request_send(struct stream *stream, struct str *scratch,
                        const struct proxy_request *request)
{
    frame_begin(scratch, PROXY_LOOKUP);
    frame_put_view(scratch, request->table);
    frame_put_u64(scratch, request->flags);
    frame_put_view(scratch, request->key);
    return frame_send_now(stream, scratch);
}

bool proxy_request_receive(struct stream *stream, struct proxy_request *out)
{
    uint8_t kind;
    struct frame_reader reader;
    if (!frame_receive(stream, &kind, &reader)) {
        return false;
    }
    out->table = frame_get_view(&reader);
    uint64_t flags = frame_get_u64(&reader);
    out->flags = (unsigned)flags;
    out->key = frame_get_view(&reader);
    if (kind != PROXY_LOOKUP || !frame_reader_ok(&reader) || flags > UINT32_MAX) {
        stream_fail(stream, EPROTO);
        return false;
    }
    return true;
}

bool proxy_reply_send(struct stream *stream, struct str *scratch, enum proxy_kind kind,
                      struct view text)
{
    frame_begin(scratch, (uint8_t)kind);
    if (kind != PROXY_MISSING) {
        frame_put_view(scratch, text);
    }
    return frame_send_now(stream, scratch);
}

bool proxy_reply_receive(struct stream *stream, enum proxy_kind *kind_out,
                         struct view *text_out)
{
    uint8_t kind;
    struct frame_reader reader;
    if (!frame_receive(stream, &kind, &reader)) {
        return false;
    }
    *text_out = view_of("", 0);
    if (kind != PROXY_MISSING) {
        *text_out = frame_get_view(&reader);
    }
    *kind_out = (enum proxy_kind)kind;
    if (kind < PROXY_FOUND || kind > PROXY_DENIED || !frame_reader_ok(&reader)) {
        stream_fail(stream, EPROTO);
        return false;
    }
    return true;
}
