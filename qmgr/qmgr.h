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
#include "rpc/notify.h"
#include "rpc/resolve.h"
#include "service/service.h"
#include "task/task.h"

/* In memory only: bounced, but the notice is not queued yet. */
enum { RECIPIENT_BOUNCED = 'B' };

/* The service that defers what cannot be tried now, with the next hop as the reason. */
#define RETRY_TRANSPORT "retry"

struct message {
    struct list node; /* qmgr.messages */
    char id[QUEUE_ID_MAX];
    const char *queue; /* where its file is: QUEUE_ACTIVE; QUEUE_INCOMING at first */
    struct arena arena;
    struct queue_message file;
    struct queue_recipient **recipients; /* the pending ones */
    size_t recipient_count;
    size_t unfinished; /* recipients without an outcome */
    size_t deferred, bounced;
    size_t traced;   /* records in the trace log, those of earlier attempts included */
    bool log_failed; /* an outcome could not be recorded: keep the message */
    bool damaged;    /* an agent found the content damaged: off to corrupt/ */
    bool removed;    /* an agent has removed the file: all was sent */
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
    bool excused; /* one that had been kept idle did: it may just have retired */
};

struct destination {
    struct list node; /* transport.ready when it may start a job */
    struct transport *transport;
    char *nexthop;
    struct str key; /* in transport.destinations */
    struct list jobs;
    size_t job_count;
    int busy;            /* deliveries in progress */
    int window;          /* most at once now */
    double failures;     /* pseudo-cohorts since the last success */
    int64_t last_second; /* of the last deliveries, and how many they were */
    int second_count;
    int64_t dead_until;
    char *dead_reason; /* "4.4.1 text" */
};

struct transport {
    char *name;
    struct htab *destinations;
    struct list ready;      /* destinations that have jobs and room, round robin */
    struct list idle;       /* kept connections: struct agent */
    int busy;               /* deliveries in progress */
    int unproven;           /* requests on connections that never answered yet */
    int64_t unproven_since; /* when the first of them was sent */
    unsigned batch;         /* requests that its agents like to get at once */
    int limit;              /* most deliveries at once */
    int recipient_limit;    /* per delivery request */
    int window_first, window_max;
    int cohort_limit; /* failed windows until a destination is dead; 0: never */
    int64_t dead_until;
};

enum { QMGR_FIBERS_MAX = 8 };

/* Scans announce no more than this ahead of what is taken up. */
enum { INTAKE_AHEAD = 64 };

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
    struct task_cond intake_caught_up; /* at most INTAKE_AHEAD of them are left */
    struct task_cond scan_wanted;
    bool scan_active, scan_incoming, scan_deferred, flush_all; /* wanted */
    bool scanning;           /* going through a directory just now */
    struct task_timer sweep; /* idle connections, dead destinations */

    struct fiber *fibers[QMGR_FIBERS_MAX]; /* those that run until qmgr_stop() */
    size_t fiber_count;
};

/* What every part may call. */

/* state.c */
struct qmgr *qmgr_new(struct service_context *context);
/* Start a background fiber. */
void qmgr_spawn(struct qmgr *qmgr, const char *name, void (*function)(void *));
/* End the background fibers; they leave when the loop runs next. */
void qmgr_stop(struct qmgr *qmgr);
/* Nothing may be in progress. */
void qmgr_free(struct qmgr **qmgr);
/* Act on a wake-up; true when it was understood. */
bool qmgr_notice(struct qmgr *qmgr, enum notify_frame kind, struct view text);

/* intake.c: announce an ID found in QUEUE; unknown and doubled ones are harmless. */
void intake_announce(struct qmgr *qmgr, const char *queue, struct view id);
void intake_start(struct qmgr *qmgr); /* spawns the intake fibers */
bool intake_has_room(const struct qmgr *qmgr);

/* scan.c: the fiber that looks into the directories, active/ first: files that an
 * earlier process left there. */
void scan_start(struct qmgr *qmgr);
/* Once a second: somebody may have asked for a look since the last one. */
void scan_remind(struct qmgr *qmgr);

/* message.c */
/* Read QUEUE/ID and move it to active/.  NULL: gone, not complete yet, or damaged
 * (dealt with and logged). */
struct message *message_load(struct qmgr *qmgr, const char *queue, const char *id);
/* An empty one, in no list yet, whose file is in QUEUE (one of the literals). */
struct message *message_new(const char *queue);
void message_set_id(struct message *message, struct view id);
/* Free a message that is in no list. */
void message_discard(struct message *message);
/* What MESSAGE's file says is known: the message counts from now on. */
void message_enter(struct qmgr *qmgr, struct message *message);
/* Move the file to active/, if it is not there yet. */
void message_activate(struct qmgr *qmgr, struct message *message);
/* Once a second: what takes its time is shown in active/. */
void message_activate_old(struct qmgr *qmgr);
/* Nobody may refer to it any more. */
void message_free(struct qmgr *qmgr, struct message *message);

/* outcome.c: record what became of JOB's recipients.  They count as finished
 * afterwards; true: they were the last of their message, which the caller must finish.
 * Waits. */
NODISCARD bool outcome_record(struct qmgr *qmgr, const struct job *job,
                              const struct deliver_reply *reply);
/* Would a notice of failure to this recipient be wanted (RFC 3461 4.1)? */
bool outcome_wants_failure(uint8_t dsn_notify);

/* finish.c: last recipient done: bounce, defer or remove.  Frees MESSAGE.  Waits. */
void message_finish(struct qmgr *qmgr, struct message *message);

/* transport.c */
struct transport *transport_find(struct qmgr *qmgr, struct view name);
/* Start what can be started in TRANSPORT. */
void transport_run(struct qmgr *qmgr, struct transport *transport);
void transport_throttle(struct qmgr *qmgr, struct transport *transport);
void transport_revive_all(struct qmgr *qmgr); /* flush: forget who was dead */
void transport_sweep(struct qmgr *qmgr);
void transport_free(struct transport *transport); /* nothing may be in progress */

/* destination.c */
struct destination *destination_find(struct transport *transport, struct view nexthop,
                                     struct view recipient);
void destination_free(struct destination *destination); /* without jobs */
/* Give DESTINATION a job; starts deliveries as far as limits allow. */
void destination_add_job(struct qmgr *qmgr, struct destination *destination,
                         struct job *job);
/* Take the next job of a ready destination: one more delivery is in progress. */
struct job *destination_take_job(struct destination *destination);
/* More jobs for the delivery that has just been given one, so that those who are free
 * share what waits: at most MOST in JOBS_OUT; how many. */
size_t destination_take_more(struct destination *destination, struct job **jobs_out,
                             size_t most);
/* A delivery has ended: let the next one go. */
void destination_release(struct qmgr *qmgr, struct destination *destination);
void destination_succeeded(struct destination *destination);
/* Is there so much mail for it that a connection may be worth keeping? */
bool destination_is_busy(const struct destination *destination);
void destination_failed(struct qmgr *qmgr, struct destination *destination,
                        struct view dsn, struct view reason);
/* Dead until then: what waits goes to the retry service with REASON ("4.4.1 text"). */
void destination_suspend(struct qmgr *qmgr, struct destination *destination,
                         int64_t until, const char *reason);
bool destination_is_dead(const struct destination *destination);
/* Hand JOB, which is in no list, to the retry service. */
void job_divert(struct qmgr *qmgr, struct job *job, const char *reason);
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

/* handover.c: a message that cleanup has made, with all that must be known of it. */
void handover_accept(struct qmgr *qmgr, struct view text);

/* route.c: resolve the recipients of MESSAGE and make its jobs.  Waits. */
void message_route(struct qmgr *qmgr, struct message *message,
                   struct resolve_client *resolver);
/* The same with the replies for all of message->recipients. */
void message_dispatch(struct qmgr *qmgr, struct message *message,
                      const struct resolve_reply *replies);

#endif
