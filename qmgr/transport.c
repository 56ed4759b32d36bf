/* SPDX-License-Identifier: MIT */
/*
 * Who may deliver now: per transport a limit on deliveries in progress, per
 * destination a window that grows with success and shrinks with failure.  A
 * destination that failed a whole window's worth in a row is dead for
 * minimal_backoff_time, and what waits for it is deferred with the reason.
 *
 * Invariant: a destination is in its transport's ready list exactly when it has
 * jobs and busy < window.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "qmgr/qmgr.h"

/* A connection unused for this long is closed, so that agents can retire. */
enum { AGENT_IDLE = 5 * CLOCK_SECOND };

static int at_least_one(int value)
{
    return value > 0 ? value : 1;
}

struct transport *transport_find(struct qmgr *qmgr, struct view name)
{
    struct transport *transport = htab_get(qmgr->transports, name);
    if (transport != NULL) {
        return transport;
    }
    const struct conf *conf = qmgr->conf;
    transport = xcalloc(1, sizeof(*transport));
    transport->name = xviewdup(name);
    transport->destinations = htab_new();
    list_init(&transport->ready);
    list_init(&transport->idle);
    transport->limit = at_least_one(
        conf_transport_int(conf, transport->name, "_transport_concurrency_limit",
                           P_default_transport_concurrency_limit));
    transport->recipient_limit =
        conf_transport_int(conf, transport->name, "_destination_recipient_limit",
                           P_default_destination_recipient_limit);
    if (transport->recipient_limit <= 0) {
        transport->recipient_limit = INT32_MAX;
    }
    transport->window_first = at_least_one(
        conf_transport_int(conf, transport->name, "_initial_destination_concurrency",
                           P_initial_destination_concurrency));
    transport->window_max =
        conf_transport_int(conf, transport->name, "_destination_concurrency_limit",
                           P_default_destination_concurrency_limit);
    if (transport->window_max <= 0) {
        transport->window_max = INT32_MAX;
    }
    if (transport->window_first > transport->window_max) {
        transport->window_first = transport->window_max;
    }
    (void)htab_put(qmgr->transports, name, transport);
    return transport;
}

struct destination *destination_find(struct qmgr *qmgr, struct transport *transport,
                                     struct view nexthop, struct view recipient)
{
    (void)qmgr;
    /* One recipient per delivery: the recipient is the destination (local). */
    STR_AUTO struct str key = {0};
    str_add(&key, nexthop);
    if (transport->recipient_limit == 1) {
        str_add_byte(&key, '\0');
        str_add_lower(&key, recipient);
    }
    struct destination *destination = htab_get(transport->destinations, str_view(&key));
    if (destination == NULL) {
        destination = xcalloc(1, sizeof(*destination));
        destination->transport = transport;
        destination->nexthop = xviewdup(nexthop);
        destination->key = xviewdup(str_view(&key));
        destination->window = transport->window_first;
        list_init(&destination->node);
        list_init(&destination->jobs);
        (void)htab_put(transport->destinations, str_view(&key), destination);
    }
    return destination;
}

static struct view destination_key(const struct destination *destination)
{
    size_t len = strlen(destination->nexthop);
    if (destination->transport->recipient_limit == 1) {
        len += 1 + strlen(destination->key + len + 1);
    }
    return view_of(destination->key, len);
}

static void destination_free(struct destination *destination)
{
    CHECK(destination->job_count == 0 && destination->busy == 0);
    list_remove(&destination->node);
    free(destination->nexthop);
    free(destination->key);
    free(destination->dead_reason);
    free(destination);
}

void job_free(struct job *job)
{
    free(job->recipients);
    free(job->addresses);
    free(job);
}

static void update_ready(struct destination *destination)
{
    bool ready = destination->job_count > 0 && destination->busy < destination->window;
    bool listed = !list_empty(&destination->node);
    if (ready && !listed) {
        list_add_tail(&destination->transport->ready, &destination->node);
    } else if (!ready && listed) {
        list_remove(&destination->node);
    }
}

void transport_run(struct qmgr *qmgr, struct transport *transport)
{
    while (transport->busy < transport->limit && !list_empty(&transport->ready) &&
           !qmgr->service->stopping) {
        struct destination *destination =
            LIST_ITEM(list_first(&transport->ready), struct destination, node);
        struct job *job = LIST_ITEM(list_first(&destination->jobs), struct job, node);
        list_remove(&job->node);
        list_remove(&destination->node); /* and to the tail again: round robin */
        destination->job_count--;
        destination->busy++;
        transport->busy++;
        update_ready(destination);
        delivery_start(qmgr, job);
    }
}

void destination_add_job(struct qmgr *qmgr, struct destination *destination,
                         struct job *job)
{
    list_add_tail(&destination->jobs, &job->node);
    destination->job_count++;
    update_ready(destination);
    transport_run(qmgr, destination->transport);
}

void destination_succeeded(struct destination *destination)
{
    destination->failures = 0;
    if (destination->busy >= destination->window &&
        destination->window < destination->transport->window_max) {
        destination->window++;
    }
    update_ready(destination);
}

/* Move what waits for DESTINATION to the retry service, which defers it with the
 * reason. */
static void defer_waiting(struct qmgr *qmgr, struct destination *destination)
{
    struct transport *retry = transport_find(qmgr, VIEW("retry"));
    while (destination->job_count > 0) {
        struct job *job = LIST_ITEM(list_first(&destination->jobs), struct job, node);
        list_remove(&job->node);
        destination->job_count--;
        job->destination = destination_find(
            qmgr, retry, view_cstr(destination->dead_reason), job->addresses[0]);
        destination_add_job(qmgr, job->destination, job);
    }
    update_ready(destination);
}

void destination_failed(struct qmgr *qmgr, struct destination *destination,
                        struct view dsn, struct view reason)
{
    destination->failures += 1.0 / destination->window;
    if (destination->window > 1) {
        destination->window--;
    }
    if (destination->failures <
            conf_transport_int(qmgr->conf, destination->transport->name,
                               "_destination_concurrency_failed_cohort_limit",
                               P_default_destination_concurrency_failed_cohort_limit) ||
        view_equal_cstr(view_cstr(destination->transport->name), "retry")) {
        update_ready(destination);
        return;
    }
    free(destination->dead_reason);
    destination->dead_reason = xasprintf("%.*s delivery temporarily suspended: %.*s",
                                         VIEW_ARG(dsn), VIEW_ARG(reason));
    destination->dead_until =
        clock_now() + conf_time(qmgr->conf, P_minimal_backoff_time);
    destination->window = destination->transport->window_first;
    destination->failures = 0;
    defer_waiting(qmgr, destination);
}

void transport_throttle(struct qmgr *qmgr, struct transport *transport)
{
    int64_t pause = conf_time(qmgr->conf, P_transport_retry_time);
    transport->dead_until = clock_now() + pause;
    if (strcmp(transport->name, "retry") == 0) {
        return; /* nothing to divert to: deliveries fall back to deferring in place */
    }
    size_t cursor = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(transport->destinations, &cursor, &key, &value)) {
        struct destination *destination = value;
        free(destination->dead_reason);
        destination->dead_reason = xstrdup("4.3.0 mail transport unavailable");
        destination->dead_until = transport->dead_until;
        defer_waiting(qmgr, destination);
    }
}

void transport_revive_all(struct qmgr *qmgr)
{
    size_t cursor = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(qmgr->transports, &cursor, &key, &value)) {
        struct transport *transport = value;
        transport->dead_until = 0;
        size_t inner = 0;
        while (htab_next(transport->destinations, &inner, &key, &value)) {
            ((struct destination *)value)->dead_until = 0;
        }
    }
}

static void close_idle_agents(struct transport *transport, int64_t before)
{
    LIST_EACH(&transport->idle, node)
    {
        struct agent *agent = LIST_ITEM(node, struct agent, node);
        if (agent->idle_since <= before) {
            list_remove(&agent->node);
            agent_free(agent);
        }
    }
}

static void forget_unused_destinations(struct transport *transport, int64_t now)
{
    size_t cursor = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(transport->destinations, &cursor, &key, &value)) {
        struct destination *destination = value;
        if (destination->job_count == 0 && destination->busy == 0 &&
            destination->dead_until <= now) {
            (void)htab_remove(transport->destinations, destination_key(destination));
            destination_free(destination);
            cursor = cursor > 0 ? cursor - 1 : 0; /* removal moved a later entry here */
        }
    }
}

void transport_sweep(struct qmgr *qmgr)
{
    int64_t now = clock_now();
    size_t cursor = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(qmgr->transports, &cursor, &key, &value)) {
        struct transport *transport = value;
        close_idle_agents(transport, now - AGENT_IDLE);
        forget_unused_destinations(transport, now);
    }
}
