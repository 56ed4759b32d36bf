/* SPDX-License-Identifier: MIT */
/*
 * What master and its workers say to each other, and the descriptors that a
 * worker is born with.
 *
 * Each worker has its own SOCK_SEQPACKET pair with master.  The worker reports
 * when its state changes, never per request; master gives orders.  End of file at
 * the worker's end means that master is dead: nobody else has the other end open.
 */
#ifndef SERVICE_MASTER_PROTOCOL_H
#define SERVICE_MASTER_PROTOCOL_H

#include <stdint.h>

/* Descriptors of a new worker.  MASTER_TICKET_FD is a memory file for the keys of TLS
 * session tickets, shared by the servers that speak TLS (see tls/ticket_keys.h), and
 * closed for all others; the listeners are MASTER_LISTENER_FD and following. */
enum master_descriptor {
    MASTER_CHANNEL_FD = 3,
    MASTER_LOG_FD = 4, /* closed when the log goes to syslog */
    MASTER_CONFIG_FD =
        5, /* text of main.cf as master has validated it; read with pread */
    MASTER_TICKET_FD = 6,
    MASTER_LISTENER_FD = 7
};
enum { MASTER_LISTENERS_MAX = 56 };

/* Environment of a worker: how many clients this process may serve at once ("0": as
 * many as process_client_limit says), and the generation of its configuration. */
#define MASTER_CLIENTS_ENV "CLIENT_LIMIT"
#define MASTER_GENERATION_ENV "GENERATION"

enum worker_state {
    WORKER_AVAILABLE = 1, /* give me clients */
    WORKER_BUSY,          /* takes clients, but another process would be better */
    WORKER_FULL,          /* takes none at present */
    WORKER_RETIRING       /* takes none any more; ends with its last client */
};

/* Worker to master. */
struct master_report {
    uint32_t pid;
    uint32_t generation;
    uint32_t state;   /* enum worker_state */
    uint32_t clients; /* most clients at once; RETIRING: how many are left */
    uint32_t served;  /* nonzero once a session has ended well: this program works */
};

/* Master to worker: one byte. */
enum master_order {
    MASTER_RETIRE = 'R', /* the configuration has changed: finish and leave */
    MASTER_LOG = 'L'     /* with a descriptor: log to this from now on */
};

#endif
