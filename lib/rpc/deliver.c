/* SPDX-License-Identifier: MIT */
/*
 * Both ends of a delivery request.  A request or reply is one frame; the receiver
 * copies it into its arena once and every view of the result points there.
 *
 * Counts are compared with the bytes that are left before anything is allocated.
 */
#include "rpc/deliver.h"

#include <errno.h>

#include "base/ascii.h"
#include "net/frame.h"

/* Least bytes that one element takes on the wire. */
enum {
    WIRE_ATTRIBUTE_MIN = 2 * 4,
    WIRE_RECIPIENT_MIN = 3 * 4 + 1 + 8,
    WIRE_OUTCOME_MIN = 1 + 7 * 4,
    WIRE_LEAF_MIN = 8 + 4 + WIRE_OUTCOME_MIN
};

/* --- request ------------------------------------------------------------------ */

static void put_recipient(struct str *frame, const struct queue_recipient *recipient)
{
    frame_put_view(frame, recipient->address);
    frame_put_view(frame, recipient->original);
    frame_put_view(frame, recipient->dsn_orcpt);
    frame_put_u8(frame, recipient->dsn_notify);
    frame_put_u64(frame, (uint64_t)recipient->state_offset);
}

static void put_request(struct str *frame, const struct deliver_request *request)
{
    frame_begin(frame, DELIVER_FRAME_REQUEST);
    frame_put_view(frame, request->queue_name);
    frame_put_view(frame, request->queue_id);
    frame_put_view(frame, request->nexthop);
    frame_put_view(frame, request->sender);
    frame_put_u64(frame, request->file_flags);
    frame_put_u8(frame, request->dsn_ret);
    frame_put_view(frame, request->dsn_envid);
    frame_put_u64(frame, (uint64_t)request->content_offset);
    frame_put_u64(frame, (uint64_t)request->content_size);
    frame_put_u64(frame, request->content_sum);
    frame_put_u64(frame, (uint64_t)request->arrival_time);
    frame_put_u64(frame, (uint64_t)request->active_time);
    frame_put_u8(frame, request->more_follows);
    frame_put_u8(frame, request->may_remove);
    frame_put_u64(frame, request->attribute_count);
    for (size_t i = 0; i < request->attribute_count; i++) {
        frame_put_view(frame, request->attributes[i].name);
        frame_put_view(frame, request->attributes[i].value);
    }
    frame_put_u64(frame, request->recipient_count);
    for (size_t i = 0; i < request->recipient_count; i++) {
        put_recipient(frame, &request->recipients[i]);
    }
}

bool deliver_put_request(struct stream *agent, const struct deliver_request *request)
{
    STR_AUTO struct str frame = {0};
    put_request(&frame, request);
    return frame_send(agent, &frame);
}

bool deliver_send_request(struct stream *agent, const struct deliver_request *request)
{
    return deliver_put_request(agent, request) && stream_flush(agent);
}

/* A count of elements that take at least LEAST bytes each. */
static size_t get_count(struct frame_reader *reader, size_t least)
{
    uint64_t count = frame_get_u64(reader);
    if (count > reader->rest.len / least) {
        reader->failed = true;
        return 0;
    }
    return (size_t)count;
}

static void get_attributes(struct frame_reader *reader, struct arena *arena,
                           struct deliver_request *request)
{
    size_t count = get_count(reader, WIRE_ATTRIBUTE_MIN);
    request->attribute_count = count;
    request->attributes =
        arena_alloc(arena, (count + 1) * sizeof(*request->attributes));
    for (size_t i = 0; i < count; i++) {
        request->attributes[i].name = frame_get_view(reader);
        request->attributes[i].value = frame_get_view(reader);
    }
}

static void get_recipients(struct frame_reader *reader, struct arena *arena,
                           struct deliver_request *request)
{
    size_t count = get_count(reader, WIRE_RECIPIENT_MIN);
    request->recipient_count = count;
    request->recipients =
        arena_alloc(arena, (count + 1) * sizeof(*request->recipients));
    for (size_t i = 0; i < count; i++) {
        struct queue_recipient *recipient = &request->recipients[i];
        recipient->address = frame_get_view(reader);
        recipient->original = frame_get_view(reader);
        recipient->dsn_orcpt = frame_get_view(reader);
        recipient->dsn_notify = frame_get_u8(reader);
        recipient->state_offset = (int64_t)frame_get_u64(reader);
    }
}

static void get_request(struct frame_reader *reader, struct arena *arena,
                        struct deliver_request *request)
{
    request->queue_name = frame_get_view(reader);
    request->queue_id = frame_get_view(reader);
    request->nexthop = frame_get_view(reader);
    request->sender = frame_get_view(reader);
    request->file_flags = (unsigned)frame_get_u64(reader);
    request->dsn_ret = frame_get_u8(reader);
    request->dsn_envid = frame_get_view(reader);
    request->content_offset = (int64_t)frame_get_u64(reader);
    request->content_size = (int64_t)frame_get_u64(reader);
    request->content_sum = frame_get_u64(reader);
    request->arrival_time = (int64_t)frame_get_u64(reader);
    request->active_time = (int64_t)frame_get_u64(reader);
    request->more_follows = frame_get_u8(reader) != 0;
    request->may_remove = frame_get_u8(reader) != 0;
    get_attributes(reader, arena, request);
    get_recipients(reader, arena, request);
}

/* The next frame, which must be of kind WANTED, copied into ARENA. */
static bool receive_copy(struct stream *stream, uint8_t wanted, struct arena *arena,
                         struct frame_reader *reader_out)
{
    uint8_t kind;
    if (!frame_receive(stream, &kind, reader_out)) {
        return false;
    }
    if (kind != wanted) {
        stream_fail(stream, EPROTO);
        return false;
    }
    frame_reader_init(reader_out, arena_view(arena, reader_out->rest));
    return true;
}

static bool is_queue_name(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!ascii_alpha(name.ptr[i])) {
            return false;
        }
    }
    return name.len > 0;
}

bool deliver_receive_request(struct stream *qmgr, struct arena *arena,
                             struct deliver_request *request_out)
{
    struct frame_reader reader;
    *request_out = (struct deliver_request){0};
    if (!receive_copy(qmgr, DELIVER_FRAME_REQUEST, arena, &reader)) {
        return false;
    }
    get_request(&reader, arena, request_out);
    /* Both become part of a path. */
    bool sane = frame_reader_ok(&reader) && queue_id_valid(request_out->queue_id) &&
                is_queue_name(request_out->queue_name);
    if (!sane) {
        stream_fail(qmgr, EPROTO);
    }
    return sane;
}

struct view deliver_attribute(const struct deliver_request *request, const char *name)
{
    for (size_t i = 0; i < request->attribute_count; i++) {
        if (view_equal_cstr(request->attributes[i].name, name)) {
            return request->attributes[i].value;
        }
    }
    return view_of("", 0);
}

/* --- reply ---------------------------------------------------------------------- */

static void put_outcome(struct str *frame, const struct deliver_outcome *outcome)
{
    frame_put_u8(frame, (uint8_t)outcome->status);
    frame_put_view(frame, outcome->dsn);
    frame_put_view(frame, outcome->action);
    frame_put_view(frame, outcome->reason);
    frame_put_view(frame, outcome->mta);
    frame_put_view(frame, outcome->diagnostic_type);
    frame_put_view(frame, outcome->diagnostic);
    frame_put_view(frame, outcome->relay);
}

bool deliver_send_reply(struct stream *qmgr, const struct deliver_reply *reply)
{
    return deliver_put_reply(qmgr, reply) && stream_flush(qmgr);
}

bool deliver_put_reply(struct stream *qmgr, const struct deliver_reply *reply)
{
    STR_AUTO struct str frame = {0};
    frame_begin(&frame, DELIVER_FRAME_REPLY);
    frame_put_u8(&frame, (uint8_t)reply->site);
    frame_put_view(&frame, reply->site_dsn);
    frame_put_view(&frame, reply->site_reason);
    frame_put_u8(&frame, reply->damaged);
    frame_put_u8(&frame, reply->removed);
    frame_put_u8(&frame, (uint8_t)reply->batch);
    frame_put_u64(&frame, reply->count);
    for (size_t i = 0; i < reply->count; i++) {
        put_outcome(&frame, &reply->outcomes[i]);
    }
    frame_put_u64(&frame, reply->leaf_count);
    for (size_t i = 0; i < reply->leaf_count; i++) {
        CHECK(reply->leaves[i].index < reply->count);
        frame_put_u64(&frame, reply->leaves[i].index);
        frame_put_view(&frame, reply->leaves[i].address);
        put_outcome(&frame, &reply->leaves[i].outcome);
    }
    return frame_send(qmgr, &frame);
}

static void get_outcome(struct frame_reader *reader, struct deliver_outcome *outcome)
{
    uint8_t status = frame_get_u8(reader);
    outcome->status = (enum deliver_status)status;
    outcome->dsn = frame_get_view(reader);
    outcome->action = frame_get_view(reader);
    outcome->reason = frame_get_view(reader);
    outcome->mta = frame_get_view(reader);
    outcome->diagnostic_type = frame_get_view(reader);
    outcome->diagnostic = frame_get_view(reader);
    outcome->relay = frame_get_view(reader);
    if (status != DELIVER_SENT && status != DELIVER_DEFERRED &&
        status != DELIVER_BOUNCED) {
        reader->failed = true;
    }
}

/* In the order of the recipients, so that who reads them need not search. */
static void get_leaves(struct frame_reader *reader, struct arena *arena,
                       struct deliver_reply *reply)
{
    uint64_t last = 0;
    reply->leaf_count = get_count(reader, WIRE_LEAF_MIN);
    reply->leaves =
        arena_alloc(arena, (reply->leaf_count + 1) * sizeof(*reply->leaves));
    for (size_t i = 0; i < reply->leaf_count; i++) {
        uint64_t index = frame_get_u64(reader);
        if (index < last || index >= reply->count) {
            reader->failed = true;
        }
        last = index;
        reply->leaves[i].index = (size_t)index;
        reply->leaves[i].address = frame_get_view(reader);
        get_outcome(reader, &reply->leaves[i].outcome);
    }
}

bool deliver_receive_reply(struct stream *agent, struct arena *arena,
                           struct deliver_reply *reply_out)
{
    struct frame_reader reader;
    *reply_out = (struct deliver_reply){0};
    if (!receive_copy(agent, DELIVER_FRAME_REPLY, arena, &reader)) {
        return false;
    }
    uint8_t site = frame_get_u8(&reader);
    reply_out->site = (enum deliver_site)site;
    reply_out->site_dsn = frame_get_view(&reader);
    reply_out->site_reason = frame_get_view(&reader);
    reply_out->damaged = frame_get_u8(&reader) != 0;
    reply_out->removed = frame_get_u8(&reader) != 0;
    reply_out->batch = frame_get_u8(&reader);
    reply_out->count = get_count(&reader, WIRE_OUTCOME_MIN);
    reply_out->outcomes =
        arena_alloc(arena, (reply_out->count + 1) * sizeof(*reply_out->outcomes));
    for (size_t i = 0; i < reply_out->count; i++) {
        get_outcome(&reader, &reply_out->outcomes[i]);
    }
    get_leaves(&reader, arena, reply_out);
    if (!frame_reader_ok(&reader) || site > DELIVER_SITE_DOWN) {
        *reply_out = (struct deliver_reply){0};
        stream_fail(agent, EPROTO);
        return false;
    }
    return true;
}
