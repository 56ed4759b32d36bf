/* SPDX-License-Identifier: MIT */
/*
 * The protocol between proxy: tables and the proxymap worker, in frames (net/frame.h)
 * over the UNIX sockets private/proxymap (to read) and private/proxywrite (to read and
 * write).  A connection serves any number of requests, one after the other; the worker
 * closes idle ones.
 *
 *     every request begins with    view table ("unix:passwd.byname"), u64 map_flags
 *     PROXY_LOOKUP  view key                -> FOUND, MISSING, FAILED, DENIED
 *     PROXY_UPDATE  view key, view value    -> FOUND (empty), FAILED, DENIED
 *     PROXY_DELETE  view key                -> FOUND (empty), MISSING, FAILED, DENIED
 *     PROXY_WALK                            -> any number of ENTRY, then as DELETE
 *
 *     PROXY_FOUND    view value
 *     PROXY_MISSING
 *     PROXY_FAILED   view reason             try again later
 *     PROXY_DENIED   view reason             proxy_read_maps does not list the table
 *     PROXY_ENTRY    view key, view value
 */
#ifndef MAP_PROXY_H
#define MAP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/view.h"
#include "map/map_private.h"
#include "net/frame.h"
#include "net/stream.h"

enum proxy_kind {
    PROXY_LOOKUP = 1,
    PROXY_UPDATE,
    PROXY_DELETE,
    PROXY_WALK,
    PROXY_FOUND = 10,
    PROXY_MISSING,
    PROXY_FAILED,
    PROXY_DENIED,
    PROXY_ENTRY
};

struct proxy_request {
    enum proxy_kind kind;
    struct view table;
    unsigned flags; /* enum map_flags */
    struct view key;
    struct view value;
};

/* The fields of a request of KIND.  False: malformed. */
bool proxy_request_parse(uint8_t kind, struct frame_reader *reader,
                         struct proxy_request *out);

struct proxy_reply {
    enum proxy_kind kind;
    struct view text;  /* the value, the reason, or the key of an entry */
    struct view value; /* of an entry */
};
/* The same for a reply. */
bool proxy_reply_parse(uint8_t kind, struct frame_reader *reader,
                       struct proxy_reply *out);

/* All of these wait.  Views that were received are valid until the next read.  False:
 * the stream is not OK any more; a peer that does not keep to the protocol makes it so.
 */
bool proxy_request_send(struct stream *stream, struct str *scratch,
                        const struct proxy_request *request);
bool proxy_request_receive(struct stream *stream, struct proxy_request *out);
/* An entry is only buffered: more follows. */
bool proxy_reply_send(struct stream *stream, struct str *scratch,
                      const struct proxy_reply *reply);
bool proxy_reply_receive(struct stream *stream, struct proxy_reply *out);

/* A table that proxymap looks into because this process must not: SPEC's name is the
 * whole title.  NULL with ERR: not for security-sensitive data. */
struct map *proxy_open_carried(const struct map_spec *spec, struct err *err);

#endif
