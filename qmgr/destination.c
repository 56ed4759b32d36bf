/* SPDX-License-Identifier: MIT */
/*
 * Destinations: per next hop a window of concurrent deliveries that grows with
 * success and shrinks with failure.  A destination that failed a whole window's
 * worth in a row is dead for minimal_backoff_time, and what waits for it is deferred
 * with the reason.
 *
 * Invariant: a destination is in its transport's ready list exactly when it has
 * jobs and busy < window.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "qmgr/qmgr.h"

/* So many within a second: more will come. */
enum { BUSY_DELIVERIES = 5 };

struct destination *destination_find(struct transport *transport, struct view nexthop,
                                     struct view recipient)
{
    STR_AUTO struct str key = {0};
    str_add(&key, nexthop);
    /* One recipient per delivery: the recipient is the destination (local). */
    if (transport->recipient_limit == 1) {
        str_add_byte(&key, '\0');
        str_add_lower(&key, recipient);
    }
    struct destination *destination = htab_get(transport->destinations, str_view(&key));
    if (destination == NULL) {
        destination = xcalloc(1, sizeof(*destination));
        destination->transport = transport;
        destination->nexthop = xviewdup(nexthop);
        destination->window = transport->window_first;
        list_init(&destination->node);
        list_init(&destination->jobs);
        str_set(&destination->key, str_view(&key));
        (void)htab_put(transport->destinations, str_view(&key), destination);
    }
    return destination;
}

void destination_free(struct destination *destination)
{
    CHECK(destination->job_count == 0 && destination->busy == 0);
    list_remove(&destination->node);
    str_done(&destination->key);
    free(destination->nexthop);
    free(destination->dead_reason);
    free(destination);
}

void job_free(struct job *job)
{
    free(job->recipients);
    free(job->addresses);
    free(job);
}

bool destination_is_dead(const struct destination *destination)
{
    return destination->dead_until > clock_now();
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

static struct job *remove_first_job(struct destination *destination)
{
    CHECK(destination->job_count > 0);
    struct job *job = LIST_ITEM(list_first(&destination->jobs), struct job, node);
    list_remove(&job->node);
    destination->job_count--;
    return job;
}

void destination_add_job(struct qmgr *qmgr, struct destination *destination,
                         struct job *job)
{
    job->destination = destination;
    list_add_tail(&destination->jobs, &job->node);
    destination->job_count++;
    update_ready(destination);
    transport_run(qmgr, destination->transport);
}

struct job *destination_take_job(struct destination *destination)
{
    CHECK(destination->busy < destination->window);
    struct job *job = remove_first_job(destination);
    list_remove(&destination->node); /* and to the tail again: round robin */
    destination->busy++;
    update_ready(destination);
    return job;
}

size_t destination_take_more(struct destination *destination, struct job **jobs_out,
                             size_t most)
{
    CHECK(destination->busy > 0);
    /* With the one that has been taken already. */
    size_t free_slots = (size_t)(destination->window - destination->busy) + 1;
    size_t share = (destination->job_count + free_slots) / free_slots - 1;
    size_t count = share < most ? share : most;
    for (size_t i = 0; i < count; i++) {
        jobs_out[i] = remove_first_job(destination);
    }
    update_ready(destination);
    return count;
}

void destination_release(struct qmgr *qmgr, struct destination *destination)
{
    struct transport *transport = destination->transport;
    CHECK(destination->busy > 0 && transport->busy > 0);
    destination->busy--;
    transport->busy--;
    update_ready(destination);
    transport_run(qmgr, transport);
}

bool destination_is_busy(const struct destination *destination)
{
    int64_t second = clock_now() / CLOCK_SECOND;
    bool lately = second - destination->last_second <= 1 &&
                  destination->second_count >= BUSY_DELIVERIES;
    return destination->job_count > 0 || (destination->busy > 1 && lately);
}

static void count_delivery(struct destination *destination)
{
    int64_t second = clock_now() / CLOCK_SECOND;
    destination->second_count =
        second == destination->last_second ? destination->second_count + 1 : 1;
    destination->last_second = second;
}

void destination_succeeded(struct destination *destination)
{
    count_delivery(destination);
    destination->failures = 0;
    if (destination->busy >= destination->window &&
        destination->window < destination->transport->window_max) {
        destination->window++;
    }
    update_ready(destination);
}

void job_divert(struct qmgr *qmgr, struct job *job, const char *reason)
{
    struct transport *retry = transport_find(qmgr, VIEW(RETRY_TRANSPORT));
    CHECK(job->count > 0 && job->destination->transport != retry);
    destination_add_job(
        qmgr, destination_find(retry, view_cstr(reason), job->addresses[0]), job);
}

void destination_suspend(struct qmgr *qmgr, struct destination *destination,
                         int64_t until, const char *reason)
{
    char *copy = xstrdup(reason);
    free(destination->dead_reason);
    destination->dead_reason = copy;
    destination->dead_until = until;
    destination->window = destination->transport->window_first;
    destination->failures = 0;
    while (destination->job_count > 0) {
        job_divert(qmgr, remove_first_job(destination), reason);
    }
    update_ready(destination);
}

void destination_failed(struct qmgr *qmgr, struct destination *destination,
                        struct view dsn, struct view reason)
{
    const struct transport *transport = destination->transport;
    destination->failures += 1.0 / destination->window;
    if (destination->window > 1) {
        destination->window--;
    }
    if (transport->cohort_limit <= 0 ||
        destination->failures < transport->cohort_limit ||
        strcmp(transport->name, RETRY_TRANSPORT) == 0) {
        update_ready(destination);
        return;
    }
    char *text = xasprintf("%.*s delivery temporarily suspended: %.*s", VIEW_ARG(dsn),
                           VIEW_ARG(reason));
    destination_suspend(qmgr, destination,
                        clock_now() + conf_time(qmgr->conf, P_minimal_backoff_time),
                        text);
    free(text);
}
