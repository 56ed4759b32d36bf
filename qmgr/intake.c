/* SPDX-License-Identifier: MIT */
/*
 * Taking up mail: IDs are announced (by cleanup, by scans, by postqueue -i), wait
 * in one list in order, and are loaded and routed by a few fibers while fewer
 * than qmgr_message_active_limit messages are in memory.
 *
 * Invariant: an ID is in the list or in memory at most once.  A lost announcement
 * costs time only: the file is found by the next scan.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "qmgr/qmgr.h"

/* Fibers that load and route; more than one hides the latency of the resolver. */
enum { INTAKE_FIBERS = 4 };

struct arrival {
    struct list node;
    const char *queue; /* one of the QUEUE_ literals */
    char id[QUEUE_ID_MAX];
};

bool intake_has_room(const struct qmgr *qmgr)
{
    return htab_count(qmgr->by_id) + htab_count(qmgr->arrival_ids) <
           (size_t)conf_int(qmgr->conf, P_qmgr_message_active_limit);
}

void intake_announce(struct qmgr *qmgr, const char *queue, struct view id)
{
    if (!queue_id_valid(id)) {
        log_warning("announced queue ID is not valid: %.*s", VIEW_ARG(id));
        return;
    }
    if (htab_get(qmgr->by_id, id) != NULL || htab_get(qmgr->arrival_ids, id) != NULL) {
        return;
    }
    if (!intake_has_room(qmgr)) {
        /* Found again when there is room. */
        if (strcmp(queue, QUEUE_INCOMING) == 0) {
            qmgr->scan_incoming = true;
        } else {
            qmgr->scan_deferred = true;
        }
        return;
    }
    struct arrival *arrival = xcalloc(1, sizeof(*arrival));
    arrival->queue = queue;
    CHECK(id.len < sizeof(arrival->id));
    memcpy(arrival->id, id.ptr, id.len);
    (void)htab_put(qmgr->arrival_ids, id, arrival);
    list_add_tail(&qmgr->arrivals, &arrival->node);
    task_cond_signal(&qmgr->intake_wanted);
}

static struct arrival *next_arrival(struct qmgr *qmgr)
{
    while (list_empty(&qmgr->arrivals)) {
        if (task_cond_wait(&qmgr->intake_wanted, CLOCK_NEVER) == TASK_CANCELLED) {
            return NULL;
        }
    }
    struct arrival *arrival =
        LIST_ITEM(list_first(&qmgr->arrivals), struct arrival, node);
    list_remove(&arrival->node);
    return arrival;
}

static void take_up(struct qmgr *qmgr, const struct arrival *arrival,
                    struct resolve_client *resolver)
{
    struct message *message = message_load(qmgr, arrival->queue, arrival->id);
    if (message != NULL) {
        message_route(qmgr, message, resolver);
    }
}

static void intake_fiber(void *context)
{
    struct qmgr *qmgr = context;
    struct resolve_client *resolver = resolve_client_new(qmgr->conf);
    struct arrival *arrival = NULL;
    while ((arrival = next_arrival(qmgr)) != NULL) {
        take_up(qmgr, arrival, resolver);
        (void)htab_remove(qmgr->arrival_ids, view_cstr(arrival->id));
        free(arrival);
        if (htab_count(qmgr->arrival_ids) <= INTAKE_AHEAD) {
            task_cond_signal(&qmgr->intake_caught_up);
        }
    }
    resolve_client_free(&resolver);
}

void intake_start(struct qmgr *qmgr)
{
    for (int i = 0; i < INTAKE_FIBERS; i++) {
        qmgr_spawn(qmgr, "intake", intake_fiber);
    }
}
