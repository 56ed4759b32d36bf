/* SPDX-License-Identifier: MIT */
/* The beginning and the end of the queue manager's state, and what others tell it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "qmgr/qmgr.h"

enum { SWEEP_INTERVAL = 1 * CLOCK_SECOND };

static void sweep(void *context)
{
    struct qmgr *qmgr = context;
    transport_sweep(qmgr);
    message_activate_old(qmgr);
    scan_remind(qmgr);
    task_timer_set(&qmgr->sweep, clock_now() + SWEEP_INTERVAL);
}

static struct htab *read_defer_transports(const struct conf *conf)
{
    struct htab *names = htab_new();
    struct view rest = view_cstr(conf_str(conf, P_defer_transports));
    struct view name;
    while (conf_list_next(&rest, &name)) {
        (void)htab_put(names, name, names); /* a set: any value will do */
    }
    return names;
}

struct qmgr *qmgr_new(struct service_context *context)
{
    struct qmgr *qmgr = xcalloc(1, sizeof(*qmgr));
    qmgr->conf = context->conf;
    qmgr->service = context;
    qmgr->dirs = queue_dirs_new(context->conf);
    qmgr->by_id = htab_new();
    qmgr->transports = htab_new();
    qmgr->arrival_ids = htab_new();
    qmgr->defer_transports = read_defer_transports(context->conf);
    list_init(&qmgr->messages);
    list_init(&qmgr->arrivals);
    task_cond_init(&qmgr->intake_wanted);
    task_cond_init(&qmgr->intake_caught_up);
    task_cond_init(&qmgr->scan_wanted);
    task_timer_init(&qmgr->sweep, sweep, qmgr);
    task_timer_set(&qmgr->sweep, clock_now() + SWEEP_INTERVAL);
    return qmgr;
}

void qmgr_spawn(struct qmgr *qmgr, const char *name, void (*function)(void *))
{
    CHECK(qmgr->fiber_count < QMGR_FIBERS_MAX);
    qmgr->fibers[qmgr->fiber_count++] = task_spawn(name, function, qmgr);
}

void qmgr_stop(struct qmgr *qmgr)
{
    for (size_t i = 0; i < qmgr->fiber_count; i++) {
        task_cancel(qmgr->fibers[i]);
    }
    qmgr->fiber_count = 0;
    task_timer_clear(&qmgr->sweep);
}

static void free_transport(void *value)
{
    transport_free(value);
}

void qmgr_free(struct qmgr **qmgr)
{
    struct qmgr *q = *qmgr;
    CHECK(list_empty(&q->messages) && q->fiber_count == 0);
    *qmgr = NULL;
    htab_free(&q->transports, free_transport);
    htab_free(&q->by_id, NULL);
    htab_free(&q->arrival_ids, free); /* the list has the same ones */
    htab_free(&q->defer_transports, NULL);
    queue_dirs_free(&q->dirs);
    task_timer_done(&q->sweep);
    free(q);
}

static void want_scan(struct qmgr *qmgr, bool flush)
{
    qmgr->scan_incoming = qmgr->scan_deferred = true;
    qmgr->flush_all = qmgr->flush_all || flush;
    task_cond_signal(&qmgr->scan_wanted);
}

bool qmgr_notice(struct qmgr *qmgr, enum notify_frame kind, struct view text)
{
    switch (kind) {
    case NOTIFY_NEW:
        intake_announce(qmgr, QUEUE_INCOMING, text);
        return true;
    case NOTIFY_MESSAGE:
        handover_accept(qmgr, text);
        return true;
    case NOTIFY_WAKEUP:
        want_scan(qmgr, false);
        return true;
    case NOTIFY_FLUSH:
        transport_revive_all(qmgr);
        want_scan(qmgr, true);
        return true;
    case NOTIFY_FLUSH_ID:
        transport_revive_all(qmgr);
        intake_announce(qmgr, QUEUE_DEFERRED, text);
        return true;
    case NOTIFY_FLUSH_SITE: /* for the flush service */
        break;
    }
    return false;
}
