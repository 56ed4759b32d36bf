/* SPDX-License-Identifier: MIT */
/*
 * The queue manager's state.  One process, one thread: fibers for intake and for
 * each delivery in progress, plain data structures for everything else.
 *
 *   message      in memory while its file is in active/
 *   transport    a delivery service of master.cf, with its idle connections
 *   destination  a next hop of a transport: window of concurrent deliveries
 *   job          one message's recipients for one destination
 */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/htab.h"
#include "base/list.h"
#include "conf/conf.h"
#include "mail/delivery_log.h"
#include "mail/queue_dir.h"
#include "mail/queue_file.h"
#include "net/stream.h"
#include "rpc/deliver.h"
#include "rpc/resolve.h"
#include "service/service.h"
#include "task/task.h"

struct message {
    struct list node; /* qmgr.messages */
    char id[QUEUE_ID_MAX];
    struct arena arena;
    struct queue_message file;
    struct queue_recipient **recipients; /* the pending ones */
    size_t recipient_count;
    size_t unfinished; /* recipients without an outcome */
    size_t deferred, bounced, traced;
    bool log_failed; /* an outcome could not be recorded: keep the message */
    bool had_logs; /* not fresh from incoming/: log files of earlier attempts may exist
                    */
    int64_t active_time;
};

struct job {
    struct list node; /* destination.jobs */
    struct message *message;
    struct destination *destination;
    struct queue_recipient **recipients;
    struct view *addresses; /* as resolved; parallel to recipients */
    size_t count;
    int attempts; /* agents that died on it */
};

struct destination {
    struct list node; /* transport.ready when it may start a job */
    struct transport *transport;
    char *nexthop;
    char *key; /* in transport.destinations */
    struct list jobs;
    size_t job_count;
    int busy;        /* deliveries in progress */
    int window;      /* most at once now */
    double failures; /* pseudo-cohorts since the last success */
    int64_t dead_until;
    char *dead_reason; /* "4.4.1 text" */
};

struct transport {
    char *name;
    struct htab *destinations;
    struct list ready;   /* destinations that have jobs and room, round robin */
    struct list idle;    /* kept connections: struct agent */
    int busy;            /* deliveries in progress */
    int unproven;        /* requests on connections that never answered yet */
    int limit;           /* most deliveries at once */
    int recipient_limit; /* per delivery request */
    int window_first, window_max;
    int64_t dead_until;
};

struct qmgr {
    const struct conf *conf;
    struct service_context *service;
    struct queue_dirs *dirs;
    struct htab *by_id; /* messages in memory */
    struct list messages;
    struct htab *transports;
    struct htab *defer_transports; /* names */

    /* IDs that were announced and not taken up yet, oldest first. */
    struct list arrivals;
    struct htab *arrival_ids;
    struct task_cond intake_wanted;
    struct task_cond scan_wanted;
    bool scan_active, scan_incoming, scan_deferred, flush_all;
    struct task_timer sweep; /* idle connections, dead destinations */
};

/* What every part may call. */

/* intake.c: announce an ID found in QUEUE; unknown and doubled ones are harmless. */
void intake_announce(struct qmgr *qmgr, const char *queue, struct view id);
void intake_start(struct qmgr *qmgr); /* spawns the intake fibers */
bool intake_has_room(const struct qmgr *qmgr);

/* scan.c: the fiber that looks into the directories, active/ first: files that an
 * earlier process left there. */
void scan_start(struct qmgr *qmgr);

/* message.c */
/* Read active/ID.  NULL: gone, incomplete or damaged (dealt with and logged). */
struct message *message_load(struct qmgr *qmgr, const char *id, bool had_logs);
/* Record what became of one recipient. */
void message_outcome(struct qmgr *qmgr, struct message *message,
                     struct queue_recipient *recipient, struct view address,
                     const struct deliver_outcome *outcome);

/* finish.c: last recipient done: bounce, defer or remove.  Frees MESSAGE.  Waits. */
void message_finish(struct qmgr *qmgr, struct message *message);

/* transport.c */
struct transport *transport_find(struct qmgr *qmgr, struct view name);
struct destination *destination_find(struct qmgr *qmgr, struct transport *transport,
                                     struct view nexthop, struct view recipient);
/* Give DESTINATION a job; starts deliveries as far as limits allow. */
void destination_add_job(struct qmgr *qmgr, struct destination *destination,
                         struct job *job);
void destination_succeeded(struct destination *destination);
void destination_failed(struct qmgr *qmgr, struct destination *destination,
                        struct view dsn, struct view reason);
/* Start what can be started in TRANSPORT. */
void transport_run(struct qmgr *qmgr, struct transport *transport);
void transport_throttle(struct qmgr *qmgr, struct transport *transport);
void transport_revive_all(struct qmgr *qmgr); /* flush: forget who was dead */
void transport_sweep(struct qmgr *qmgr);
void transport_free_all(struct qmgr *qmgr);
void job_free(struct job *job);

/* agent.c: kept connections to delivery agents. */
struct agent {
    struct list node;
    struct stream *stream;
    int requests; /* answered so far */
    int64_t idle_since;
};
struct agent *agent_get(struct transport *transport, struct err *err); /* waits */
void agent_put(struct qmgr *qmgr, struct transport *transport, struct agent *agent);
void agent_free(struct agent *agent);

/* delivery.c: the fiber of one delivery in progress. */
void delivery_start(struct qmgr *qmgr, struct job *job);

/* route.c: resolve the recipients of MESSAGE and make its jobs.  Waits. */
void message_route(struct qmgr *qmgr, struct message *message,
                   struct resolve_client *resolver);

#endif
