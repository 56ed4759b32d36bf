/* SPDX-License-Identifier: MIT */
/* The state of a running worker, shared by the files of the skeleton. */
#ifndef SERVICE_WORKER_H
#define SERVICE_WORKER_H

#include "service/channel.h"
#include "service/service.h"
#include "service/worker_arguments.h"

struct worker {
    struct service_context context; /* first: hooks are given its address */
    const struct service *service;
    struct worker_arguments arguments;
    struct conf *conf;
    struct channel channel;
    int listeners[MASTER_LISTENERS_MAX];
    int listener_count;
    unsigned client_limit; /* clients at once */
    uint64_t sessions_max; /* retire after so many; UINT64_MAX: never */
    uint64_t sessions;     /* that have ended */
    int64_t max_idle;      /* leave after this time without clients; CLOCK_NEVER */
    unsigned reported_state;
    bool reported_served;
    bool worked;          /* a request of a kept connection has been answered */
    bool expecting_first; /* exclusive: the client has not asked for anything yet */
};

/* The worker of CONTEXT, which the skeleton made. */
static inline struct worker *worker_of(struct service_context *context)
{
    return (struct worker *)(void *)context;
}

/* Say STATE to master if it is news. */
void worker_report(struct worker *worker, enum worker_state state, unsigned clients);
/* A request was answered on a connection that goes on: this program works. */
void worker_note_work(struct worker *worker);
/* Should no further client be taken because tables changed or enough were served? */
bool worker_used_up(struct worker *worker);
/* Have tables changed? */
bool worker_outdated(struct worker *worker);
/* How often clients that keep their connections let us ask for it. */
#define OUTDATED_INTERVAL CLOCK_SECOND
void worker_close_listeners(struct worker *worker);
/* worker_accept() without a client. */
enum {
    ACCEPT_NONE = -1,     /* there is none (left) */
    ACCEPT_EXHAUSTED = -2 /* open files or memory have run out, which was logged: try
                             again after ACCEPT_PAUSE, since the client still knocks */
};
#define ACCEPT_PAUSE CLOCK_SECOND
/* Accept from LISTENER without waiting: a connected descriptor, or one of the above.
 * FIFOs give one end of a socket pair with what was written to the FIFO. */
int worker_accept(const struct worker *worker, int listener);
/* A service of type "pass" gets its client through the connection CONNECTION, which is
 * closed; -1 on trouble.  Waits. */
int worker_receive_client(int connection);

/* The ways to serve; each returns when the process should end. */
void worker_run_concurrent(struct worker *worker);
void worker_run_exclusive(struct worker *worker);
void worker_run_datagram(struct worker *worker);
void worker_run_stand_alone(struct worker *worker);

/* service_await_until() for each way. */
bool worker_await_concurrent(struct worker *worker, struct stream *client,
                             int64_t deadline);
bool worker_await_exclusive(struct worker *worker, struct stream *client,
                            int64_t deadline);

#endif
