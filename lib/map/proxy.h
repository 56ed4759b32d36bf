/* SPDX-License-Identifier: MIT */
/*
 * The protocol between proxy: tables and the proxymap worker, in frames (net/frame.h)
 * over the UNIX socket private/proxymap.  A connection serves any number of
 * requests, one after the other; the worker closes idle ones.
 *
 *     request   PROXY_LOOKUP  view table ("unix:passwd.byname"), u64 map_flags, view
 * key reply     PROXY_FOUND   view value PROXY_MISSING PROXY_FAILED  view reason the
 * lookup failed: try again later PROXY_DENIED  view reason       proxy_read_maps does
 * not list the table
 */
#ifndef MAP_PROXY_H
#define MAP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/view.h"
#include "net/stream.h"

enum proxy_kind {
    PROXY_LOOKUP = 1,
    PROXY_FOUND = 10,
    PROXY_MISSING,
    PROXY_FAILED,
    PROXY_DENIED
};

struct proxy_request {
    struct view table;
    unsigned flags; /* enum map_flags */
    struct view key;
};

/* All of these wait.  Views that were received are valid until the next read.  False:
 * the stream is not OK any more; a peer that does not keep to the protocol makes it so.
 */
bool proxy_request_send(struct stream *stream, struct str *scratch,
                        const struct proxy_request *request);
bool proxy_request_receive(struct stream *stream, struct proxy_request *out);
/* TEXT: the value or the reason. */
bool proxy_reply_send(struct stream *stream, struct str *scratch, enum proxy_kind kind,
                      struct view text);
bool proxy_reply_receive(struct stream *stream, enum proxy_kind *kind_out,
                         struct view *text_out);

#endif
