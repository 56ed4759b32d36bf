/* SPDX-License-Identifier: MIT */
/*
 * Asking the rewrite worker.  A message with very many recipients goes in several
 * requests, so that a frame stays far below its limit and the answer comes in time.
 */
#include "rpc/resolve.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "net/frame.h"
#include "rpc/kept.h"
#include "rpc/resolve_wire.h"

enum { BATCH_ADDRESSES = 2000, BATCH_BYTES = 1024 * 1024 };

struct resolve_client {
    struct kept_pool pool;
};

struct resolve_client *resolve_client_new(const struct conf *conf)
{
    struct resolve_client *client = xcalloc(1, sizeof(*client));
    kept_pool_init(&client->pool, "private", conf_str(conf, P_rewrite_service_name),
                   conf_time(conf, P_ipc_timeout));
    return client;
}

void resolve_client_free(struct resolve_client **client)
{
    if (*client != NULL) {
        kept_pool_done(&(*client)->pool);
        free(*client);
        *client = NULL;
    }
}

struct batch {
    struct view sender;
    const struct view *addresses;
    size_t count;
    struct arena *arena;
    struct resolve_reply *replies; /* room for COUNT */
};

/* How many of the COUNT addresses go into one request. */
static size_t batch_size(const struct view *addresses, size_t count)
{
    size_t taken = 0;
    size_t bytes = 0;
    while (taken < count && taken < BATCH_ADDRESSES && bytes < BATCH_BYTES) {
        bytes += addresses[taken].len;
        taken++;
    }
    return taken;
}

static bool send_batch(struct kept *kept, const struct batch *batch)
{
    frame_begin(&kept->frame, RESOLVE_FRAME_ASK);
    frame_put_view(&kept->frame, batch->sender);
    frame_put_u64(&kept->frame, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        frame_put_view(&kept->frame, batch->addresses[i]);
    }
    return frame_send_now(kept->stream, &kept->frame);
}

static bool get_batch(uint8_t kind, struct frame_reader *reader,
                      const struct batch *batch)
{
    struct resolve_reply *replies;
    size_t count;
    if (kind != RESOLVE_FRAME_REPLY ||
        !resolve_get_replies(reader, batch->arena, batch->count, &replies, &count) ||
        count != batch->count || !frame_reader_ok(reader)) {
        return false;
    }
    memcpy(batch->replies, replies, count * sizeof(*replies));
    return true;
}

static enum outcome ask_batch(struct resolve_client *client, const struct batch *batch,
                              struct err *err)
{
    for (bool fresh = false;; fresh = true) {
        struct kept *kept = kept_take(&client->pool, fresh, err);
        if (kept == NULL) {
            return TEMPFAIL;
        }
        struct frame_reader reader;
        uint8_t kind;
        if (!send_batch(kept, batch) || !frame_receive(kept->stream, &kind, &reader)) {
            bool try_again = kept->reused;
            enum outcome lost = err_temp(err, "4.3.0", "%s: %s", client->pool.path,
                                         stream_problem(kept->stream));
            kept_drop(kept);
            if (try_again) {
                continue;
            }
            return lost;
        }
        if (!get_batch(kind, &reader, batch)) {
            kept_drop(kept);
            return err_temp(err, "4.3.0", "%s: malformed answer", client->pool.path);
        }
        kept_return(&client->pool, kept);
        return OK;
    }
}

enum outcome resolve_ask(struct resolve_client *client, struct view sender,
                         const struct view *addresses, size_t count,
                         struct arena *arena, struct resolve_reply **replies_out,
                         struct err *err)
{
    struct resolve_reply *replies = arena_alloc(arena, (count + 1) * sizeof(*replies));
    *replies_out = replies;
    size_t done = 0;
    while (done < count) {
        struct batch batch = {.sender = sender,
                              .addresses = addresses + done,
                              .count = batch_size(addresses + done, count - done),
                              .arena = arena,
                              .replies = replies + done};
        CHECK(batch.count > 0);
        enum outcome outcome = ask_batch(client, &batch, err);
        if (outcome != OK) {
            return outcome;
        }
        done += batch.count;
    }
    return OK;
}

/* --- server's side --------------------------------------------------------------- */

/* The fields of ASK, which point into FIELDS. */
static bool get_request(struct view fields, struct arena *arena,
                        struct resolve_request *request)
{
    struct frame_reader reader;
    frame_reader_init(&reader, fields);
    request->sender = frame_get_view(&reader);
    uint64_t count = frame_get_u64(&reader);
    if (count > reader.rest.len / sizeof(uint32_t)) {
        return false; /* every address takes at least its length */
    }
    request->count = (size_t)count;
    request->addresses = arena_alloc(arena, (request->count + 1) * sizeof(struct view));
    for (size_t i = 0; i < request->count; i++) {
        request->addresses[i] = frame_get_view(&reader);
    }
    return frame_reader_ok(&reader);
}

bool resolve_receive(struct stream *client, struct arena *arena,
                     struct resolve_request *request_out)
{
    struct frame_reader reader;
    uint8_t kind;
    *request_out = (struct resolve_request){0};
    if (!frame_receive(client, &kind, &reader)) {
        return false;
    }
    if (kind != RESOLVE_FRAME_ASK ||
        !get_request(arena_view(arena, reader.rest), arena, request_out)) {
        stream_fail(client, EPROTO);
        return false;
    }
    return true;
}

bool resolve_send_reply(struct stream *client, const struct resolve_reply *replies,
                        size_t count)
{
    STR_AUTO struct str frame = {0};
    frame_begin(&frame, RESOLVE_FRAME_REPLY);
    resolve_put_replies(&frame, replies, count);
    return frame_send_now(client, &frame);
}
