/* SPDX-License-Identifier: MIT */
/*
 * Asking the rewrite worker where recipients go.  One request carries all
 * recipients of a message.
 */
#ifndef RPC_RESOLVE_H
#define RPC_RESOLVE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "conf/conf.h"
#include "net/stream.h"

enum address_class {
    CLASS_LOCAL = 1,
    CLASS_VIRTUAL_ALIAS,
    CLASS_VIRTUAL_MAILBOX,
    CLASS_RELAY,
    CLASS_DEFAULT
};

enum resolve_flags { /* told by route_resolve(), not carried by resolve_ask() */
                     RESOLVE_ROUTED = 1,    /* the local part has '@', '%' or '!':
                                               sender-specified routing */
                     RESOLVE_BAD_SYNTAX = 2 /* the domain cannot be one */
};
struct resolve_reply {
    struct view transport; /* service name: "local", "smtp", "error" ... */
    struct view
        nexthop; /* "[10.0.0.1]:25", "example.com", or a text for error/discard */
    struct view recipient; /* internal form, routed (source route and % removed) */
    enum address_class address_class;
    enum outcome outcome; /* TEMPFAIL: a table failed, defer */
    unsigned flags;       /* enum resolve_flags */
};

struct resolve_client;
struct resolve_client *resolve_client_new(const struct conf *conf);
void resolve_client_free(struct resolve_client **client);
/* Resolve COUNT addresses for SENDER; replies, in the same order, live in ARENA. Waits.
 */
NODISCARD enum outcome resolve_ask(struct resolve_client *client, struct view sender,
                                   const struct view *addresses, size_t count,
                                   struct arena *arena,
                                   struct resolve_reply **replies_out, struct err *err);

/* --- server's side (rewrite/) ----------------------------------------------- */
struct resolve_request {
    struct view sender;
    struct view *addresses;
    size_t count;
};
/* The next request, its strings in ARENA.  False: the client has left, or broke the
 * protocol (then the stream is in error).  Waits. */
bool resolve_receive(struct stream *client, struct arena *arena,
                     struct resolve_request *request_out);
/* Answer with request->count replies.  Waits. */
bool resolve_send_reply(struct stream *client, const struct resolve_reply *replies,
                        size_t count);

/* --- wire ------------------------------------------------------------------- */
enum resolve_frame {
    RESOLVE_FRAME_ASK = 'Q',  /* sender, u64 count, count addresses -> REPLY */
    RESOLVE_FRAME_REPLY = 'q' /* u64 count, count times: u8 outcome, u8 class,
                                 transport, nexthop, recipient */
};

#endif
