/* SPDX-License-Identifier: MIT */
/* For tests of tables that ask a server: a scripted one, in fibers beside the test.
 * Comes behind testing/test.h and testing/unix_server.h. */
#ifndef MAP_PEER_TESTING_H
#define MAP_PEER_TESTING_H

#include "map/map_testing.h"

/* What a server does with the connections it gets. */
struct peer_script {
    /* Answer one request; false: hang up. */
    bool (*serve)(struct peer_script *script, struct stream *client);
    size_t connections; /* that it will get */
    bool parallel;
    const char *reply; /* for serve() */
    struct str log;    /* "C" per connection, and what serve() notes */
    struct unix_server server;
};

static inline void peer_script_session(void *context, size_t number,
                                       struct stream *client)
{
    struct peer_script *script = context;
    (void)number;
    str_add_byte(&script->log, 'C');
    while (script->serve(script, client)) {
    }
}

/* Start it on a TCP port; the port is SCRIPT->server.port. */
static inline void peer_script_start(struct peer_script *script)
{
    script->server = (struct unix_server){.connections = script->connections,
                                          .session = peer_script_session,
                                          .parallel = script->parallel,
                                          .context = script};
    unix_server_start(&script->server);
}

/* Until it has had all its connections, which it must have. */
static inline void peer_script_end(struct peer_script *script)
{
    unix_server_wait(&script->server);
    str_done(&script->log);
}

#endif
