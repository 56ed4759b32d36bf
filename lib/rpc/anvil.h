/* SPDX-License-Identifier: MIT */
/*
 * How much a client does, over all processes of a service.  Each process counts for
 * itself and tells anvil in batches, some time later; it waits for anvil's totals only
 * when what it knows is near a limit.  Without anvil there are no limits, and one
 * warning.
 *
 * What a process knows is old by the time of a batch, so a client that comes through
 * several processes at once may get beyond a limit by what it did within that time.
 */
#ifndef RPC_ANVIL_H
#define RPC_ANVIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/view.h"
#include "conf/conf.h"
#include "net/stream.h"

enum anvil_event {
    ANVIL_CONNECTION,
    ANVIL_MESSAGE,
    ANVIL_RECIPIENT,
    ANVIL_NEW_TLS,
    ANVIL_AUTH,
    ANVIL_LOGIN_FAILURE, /* over its own, longer time */
    ANVIL_EVENTS
};

/* --- client's side -------------------------------------------------------------- */

struct anvil_client;
struct anvil_client *anvil_client_new(const struct conf *conf);
/* What still uses it may go on to do so, but no new session may begin. */
void anvil_client_free(struct anvil_client **client);

/* The present sessions of one remote client, which IDENT names ("smtp:192.0.2.1"). */
struct anvil_peer;
/* One more session, or one less.  Entering is an ANVIL_CONNECTION to be counted by
 * anvil_count(). */
struct anvil_peer *anvil_enter(struct anvil_client *client, struct view ident);
void anvil_leave(struct anvil_client *client, struct anvil_peer *peer);

/* EVENT has happened.  How often within the time unit, as far as known; exactly when
 * that is near LIMIT (0: none).  Waits in that case. */
uint64_t anvil_count(struct anvil_client *client, struct anvil_peer *peer,
                     enum anvil_event event, uint64_t limit);
/* The same without an event. */
uint64_t anvil_rate(struct anvil_client *client, struct anvil_peer *peer,
                    enum anvil_event event, uint64_t limit);
/* How many sessions there are.  Waits near LIMIT. */
uint64_t anvil_sessions(struct anvil_client *client, struct anvil_peer *peer,
                        uint64_t limit);

/* --- wire ----------------------------------------------------------------------------
 */

struct anvil_item {
    struct view ident;
    uint64_t sessions;             /* of this process, at present */
    uint64_t most;                 /* the same, at most since the last report */
    uint64_t events[ANVIL_EVENTS]; /* since the last report */
};
struct anvil_total {
    uint64_t sessions;
    uint64_t rates[ANVIL_EVENTS];
};
enum anvil_frame {
    ANVIL_FRAME_REPORT = 'U', /* u64 count, count times: ident, u64 sessions, u64 most,
                                 u64 of each event -> TOTALS */
    ANVIL_FRAME_TOTALS = 'u'  /* u64 count, count times: u64 sessions, u64 rates */
};
enum { ANVIL_ITEMS_MAX = 10000 };

/* Worker's side: the items of a report, which point into FIELDS, in ARENA.  False:
 * malformed. */
bool anvil_report_parse(uint8_t kind, struct view fields, struct arena *arena,
                        struct anvil_item **items_out, size_t *count_out);
bool anvil_send_totals(struct stream *client, const struct anvil_total *totals,
                       size_t count);

#endif
