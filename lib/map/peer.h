/* SPDX-License-Identifier: MIT */
/*
 * A server that answers one question after the other on a connection: what tcp:,
 * socketmap:, memcache: and proxy: tables have in common.
 *
 * Connections are kept and used again, by all tables of the process that ask the same
 * server.  Every question under way has a connection of its own, so that fibers do not
 * wait for each other until there are very many.  A server that does not let us in is
 * tried again at growing intervals; questions in between fail at once.
 */
#ifndef MAP_PEER_H
#define MAP_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "net/stream.h"

struct peer;

/* ENDPOINT: "inet:HOST:PORT" ("inet:[ADDRESS]:PORT"), "unix:PATH".  TIMEOUT
 * (microseconds) holds for connecting and for a question with its answer.  NULL: ERR
 * says what is wrong with ENDPOINT.  Connects at the first question. */
struct peer *peer_open(struct view endpoint, int64_t timeout, struct err *err);
/* The socket PATH, or OTHER_PATH where that one does not exist (in a chroot). */
struct peer *peer_open_unix(const char *path, const char *other_path, int64_t timeout);
void peer_close(struct peer **peer);

/*
 * Have EXCHANGE ask and read the answer on a connection.  It returns true when the
 * answer is complete; false when the stream broke or the server does not keep to the
 * protocol, which ends the connection.  A kept connection that the server had closed
 * meanwhile is no failure: EXCHANGE is called again with a new one.  TEMPFAIL: no
 * connection, or the problem of the stream.  Waits.
 */
NODISCARD enum outcome peer_ask(struct peer *peer,
                                bool (*exchange)(void *context, struct stream *stream),
                                void *context, struct err *err);
/* How often in a row it was not possible to connect. */
unsigned peer_failures(const struct peer *peer);

#endif
