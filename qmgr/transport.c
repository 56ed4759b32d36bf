/* SPDX-License-Identifier: MIT */
/*
 * Transports: the delivery services of master.cf, each with a limit on deliveries in
 * progress and its idle connections.  A service that cannot be reached is dead for
 * transport_retry_time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "qmgr/qmgr.h"

/* A connection unused for this long is closed, so that agents can retire. */
enum { AGENT_IDLE = 5 * CLOCK_SECOND };

static int at_least_one(int value)
{
    return value > 0 ? value : 1;
}

/* In some parameters zero means "no limit". */
static int zero_is_none(int value)
{
    return value > 0 ? value : INT32_MAX;
}

static void read_limits(const struct conf *conf, struct transport *transport)
{
    const char *name = transport->name;
    transport->limit =
        at_least_one(conf_transport_int(conf, name, "_transport_concurrency_limit",
                                        P_default_transport_concurrency_limit));
    transport->recipient_limit =
        zero_is_none(conf_transport_int(conf, name, "_destination_recipient_limit",
                                        P_default_destination_recipient_limit));
    transport->window_max =
        zero_is_none(conf_transport_int(conf, name, "_destination_concurrency_limit",
                                        P_default_destination_concurrency_limit));
    transport->window_first =
        at_least_one(conf_transport_int(conf, name, "_initial_destination_concurrency",
                                        P_initial_destination_concurrency));
    if (transport->window_first > transport->window_max) {
        transport->window_first = transport->window_max;
    }
    transport->cohort_limit =
        conf_transport_int(conf, name, "_destination_concurrency_failed_cohort_limit",
                           P_default_destination_concurrency_failed_cohort_limit);
}

struct transport *transport_find(struct qmgr *qmgr, struct view name)
{
    struct transport *transport = htab_get(qmgr->transports, name);
    if (transport == NULL) {
        transport = xcalloc(1, sizeof(*transport));
        transport->name = xviewdup(name);
        transport->destinations = htab_new();
        transport->batch = 1;
        list_init(&transport->ready);
        list_init(&transport->idle);
        read_limits(qmgr->conf, transport);
        (void)htab_put(qmgr->transports, name, transport);
    }
    return transport;
}

void transport_run(struct qmgr *qmgr, struct transport *transport)
{
    while (transport->busy < transport->limit && !list_empty(&transport->ready) &&
           !qmgr->service->stopping) {
        struct destination *destination =
            LIST_ITEM(list_first(&transport->ready), struct destination, node);
        transport->busy++;
        delivery_start(qmgr, destination_take_job(destination));
    }
}

void transport_throttle(struct qmgr *qmgr, struct transport *transport)
{
    transport->dead_until = clock_now() + conf_time(qmgr->conf, P_transport_retry_time);
    if (strcmp(transport->name, RETRY_TRANSPORT) == 0) {
        return; /* nothing to divert to: deliveries fall back to deferring in place */
    }
    size_t cursor = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(transport->destinations, &cursor, &key, &value)) {
        destination_suspend(qmgr, value, transport->dead_until,
                            "4.3.0 mail transport unavailable");
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

/* What a destination has learned holds as long as somebody uses it. */
static void forget_unused_destinations(struct transport *transport)
{
    size_t cursor = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(transport->destinations, &cursor, &key, &value)) {
        struct destination *destination = value;
        if (destination->job_count == 0 && destination->busy == 0 &&
            !destination_is_dead(destination)) {
            (void)htab_remove(transport->destinations, str_view(&destination->key));
            destination_free(destination);
            cursor--; /* removal may have moved a later entry here */
        }
    }
}

void transport_sweep(struct qmgr *qmgr)
{
    size_t cursor = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(qmgr->transports, &cursor, &key, &value)) {
        close_idle_agents(value, clock_now() - AGENT_IDLE);
        forget_unused_destinations(value);
    }
}

static void free_destination(void *value)
{
    destination_free(value);
}

void transport_free(struct transport *transport)
{
    CHECK(transport->busy == 0);
    close_idle_agents(transport, CLOCK_NEVER);
    htab_free(&transport->destinations, free_destination);
    free(transport->name);
    free(transport);
}
