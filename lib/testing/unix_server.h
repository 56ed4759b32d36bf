/* SPDX-License-Identifier: MIT */
/* A scripted service on a UNIX-domain socket or a TCP port, in fibers of the test's own
 * process. */
#ifndef TESTING_UNIX_SERVER_H
#define TESTING_UNIX_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/stream.h"

struct unix_server {
    const char *path; /* NULL: 127.0.0.1, at the port that comes out in PORT */
    uint16_t port;
    size_t connections; /* how many to accept before it ends */
    /* One connection; NUMBER counts from 0.  The stream is freed afterwards. */
    void (*session)(void *context, size_t number, struct stream *client);
    void *context;
    bool parallel;    /* a fiber per connection, instead of one after the other */
    int fd;           /* private */
    size_t under_way; /* private */
};

/* Listen, and start the fiber that serves one connection after the other. */
void unix_server_start(struct unix_server *server);
/* Until it has served all its connections: before SERVER goes out of scope.  Waits. */
void unix_server_wait(struct unix_server *server);

/* Run BODY(CONTEXT) in a fiber in a private directory with public/ and private/, until
 * all fibers have ended. */
void test_run_in_spool(void (*body)(void *), void *context);

#endif
