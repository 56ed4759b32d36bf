/* SPDX-License-Identifier: MIT */
/*
 * The one skeleton of all workers.  A program describes itself in a struct
 * service and calls service_main(), which does, in this order: arguments, log,
 * configuration, .open (still privileged), inherited sockets, chroot, privilege
 * drop, .ready, then serving until idle, used up, reloaded or orphaned.
 *
 *   concurrent  one fiber per client, many clients per process
 *   exclusive   one client at a time, on the main stack: may block, fork, switch uid
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>

#include "conf/conf.h"
#include "net/stream.h"

enum service_kind {
    SERVICE_CONCURRENT, /* .session in a fiber per connection */
    SERVICE_EXCLUSIVE,  /* .session on the main stack, one connection after the other */
    SERVICE_DATAGRAM    /* .datagram per packet (postlogd) */
};

/* What a running worker knows; handed to every hook. */
struct service_context {
    const struct conf *conf;
    const char *name;       /* service name of master.cf (-n): "smtp", "submission" */
    const char *type;       /* "inet", "unix", "pass" */
    char *const *arguments; /* of master.cf, behind program and options (pipe) */
    bool privileged;        /* started by root: may switch users if .keep_root */
    int ticket_fd;          /* memory for keys that TLS servers share; -1: none */
    void *state;            /* the program's own, from .open or .ready */
    bool confined;          /* to the queue directory, by chroot */
    bool stand_alone;       /* -S: one session on standard input and output */
    bool stopping;          /* no new work, please: reload, max_use, shutdown */
};

struct service {
    const char *name; /* program name */
    enum service_kind kind;
    bool keep_root; /* local, virtual, pipe: effective uid is mail_owner, real root
                       stays */
    bool fragile;   /* libraries of others may end it: that does not stop the service */
    bool single;    /* one process that never retires by use or idleness (qmgr) */
    /* Before privileges are dropped and outside the chroot: open tables, keys. */
    void (*open)(struct service_context *context);
    /* Unprivileged; the loop exists: spawn background fibers, connect to peers. */
    void (*ready)(struct service_context *context);
    /* One connection; the stream is freed by the skeleton afterwards.  Waits. */
    void (*session)(struct service_context *context, struct stream *client);
    void (*datagram)(struct service_context *context, struct view packet);
    /* Before a new client is taken, and now and then while there are clients: true when
     * tables changed and the process should be replaced (NULL: never). */
    bool (*outdated)(struct service_context *context);
    /* Last call before exit. */
    void (*close)(struct service_context *context);
    /* Default for process_client_limit; 0: the parameter's. */
    int client_limit;
};

/* Run it; the value is main's.  "-S": .session on standard input and output, without
 * master (sendmail -bs, tests, debugging). */
int service_main(const struct service *service, int argc, char **argv);

/* Between the requests of a kept connection: true when the next one has begun to
 * arrive, false when the client has left or this process should end (reload, shutdown,
 * death of master). A session that does not call it stays until its client leaves.
 * Waits. */
bool service_await(struct service_context *context, struct stream *client);
/* The same, but not beyond DEADLINE: a client that has nothing to ask must not keep an
 * exclusive worker for ever. */
bool service_await_until(struct service_context *context, struct stream *client,
                         int64_t deadline);

#endif
