/* SPDX-License-Identifier: MIT */
/*
 * The queue manager: takes up new mail, asks where it goes, hands it to delivery
 * agents and retries what is deferred.  Other processes talk to it by wake-up
 * frames (rpc/notify.h); it forgets nothing, because everything it knows is in
 * the queue directories.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "net/frame.h"
#include "qmgr/qmgr.h"
#include "rpc/notify.h"
#include "service/service.h"

enum { SWEEP_INTERVAL = 1 * CLOCK_SECOND };

static void sweep(void *context)
{
    struct qmgr *qmgr = context;
    transport_sweep(qmgr);
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

/* qmgr(8): a bounce cannot wait longer than other mail. */
static void check_lifetimes(const struct conf *conf)
{
    if (conf_time(conf, P_bounce_queue_lifetime) >
        conf_time(conf, P_maximal_queue_lifetime)) {
        log_warning("bounce_queue_lifetime is larger than maximal_queue_lifetime - "
                    "adjusting bounce_queue_lifetime");
    }
}

static void qmgr_ready(struct service_context *context)
{
    struct qmgr *qmgr = xcalloc(1, sizeof(*qmgr));
    context->state = qmgr;
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
    task_cond_init(&qmgr->scan_wanted);
    check_lifetimes(context->conf);
    intake_start(qmgr);
    scan_start(qmgr);
    task_timer_init(&qmgr->sweep, sweep, qmgr);
    task_timer_set(&qmgr->sweep, clock_now() + SWEEP_INTERVAL);
}

static void handle_frame(struct qmgr *qmgr, uint8_t kind, struct view text)
{
    switch (kind) {
    case NOTIFY_NEW:
        intake_announce(qmgr, QUEUE_INCOMING, text);
        break;
    case NOTIFY_WAKEUP:
        qmgr->scan_incoming = qmgr->scan_deferred = true;
        task_cond_signal(&qmgr->scan_wanted);
        break;
    case NOTIFY_FLUSH:
        transport_revive_all(qmgr);
        qmgr->scan_incoming = qmgr->scan_deferred = qmgr->flush_all = true;
        task_cond_signal(&qmgr->scan_wanted);
        break;
    case NOTIFY_FLUSH_ID:
        transport_revive_all(qmgr);
        intake_announce(qmgr, QUEUE_DEFERRED, text);
        break;
    default:
        log_warning("request of unknown kind %u ignored", kind);
        break;
    }
}

static void qmgr_session(struct service_context *context, struct stream *client)
{
    struct qmgr *qmgr = context->state;
    uint8_t kind = 0;
    struct frame_reader reader;
    stream_set_timeout(client, CLOCK_NEVER);
    while (service_await(context, client) && frame_receive(client, &kind, &reader)) {
        /* A wake-up from master has no text. */
        struct view text = reader.rest.len > 0 ? frame_get_view(&reader) : VIEW("");
        if (!frame_reader_ok(&reader)) {
            log_warning("malformed request ignored");
            break;
        }
        handle_frame(qmgr, kind, text);
    }
}

static const struct service qmgr_service = {
    .name = "qmgr",
    .kind = SERVICE_CONCURRENT,
    .single = true,
    .ready = qmgr_ready,
    .session = qmgr_session,
};

int main(int argc, char **argv)
{
    return service_main(&qmgr_service, argc, argv);
}
