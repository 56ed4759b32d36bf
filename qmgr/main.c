/* SPDX-License-Identifier: MIT */
/*
 * The queue manager: takes up new mail, asks where it goes, hands it to delivery
 * agents and retries what is deferred.  Other processes talk to it by wake-up
 * frames (rpc/notify.h); it forgets nothing, because everything it knows is in
 * the queue directories.
 */
#include "base/log.h"
#include "qmgr/qmgr.h"
#include "rpc/notify.h"
#include "service/service.h"

/* Processes that announce mail keep their connections. */
enum { CLIENTS_MOST = 1000 };

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
    check_lifetimes(context->conf);
    struct qmgr *qmgr = qmgr_new(context);
    context->state = qmgr;
    intake_start(qmgr);
    scan_start(qmgr);
}

static void qmgr_session(struct service_context *context, struct stream *client)
{
    enum notify_frame kind;
    struct view text;
    while (notify_receive(client, &kind, &text)) {
        if (!qmgr_notice(context->state, kind, text)) {
            log_warning("request of unknown kind %u ignored", (unsigned)kind);
        }
    }
    if (stream_state(client) == STREAM_ERROR) {
        log_warning("malformed request: %s", stream_problem(client));
    }
}

static const struct service qmgr_service = {
    .name = "qmgr",
    .kind = SERVICE_CONCURRENT,
    .single = true,
    .ready = qmgr_ready,
    .session = qmgr_session,
    .client_limit = CLIENTS_MOST,
};

int main(int argc, char **argv)
{
    return service_main(&qmgr_service, argc, argv);
}
