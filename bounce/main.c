/* SPDX-License-Identifier: MIT */
/*
 * bounce: tells senders what became of their mail.  The queue manager keeps the
 * records (bounce/ID, defer/ID, trace/ID); this service turns them into messages.
 * It serves the names bounce, defer and trace.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bounce/bounce.h"
#include "service/service.h"

static void bounce_open(struct service_context *context)
{
    if (conf_bool(context->conf, P_enable_threaded_bounces)) {
        log_fatal("parameter enable_threaded_bounces is not supported yet");
    }
    struct bouncer *bouncer = xcalloc(1, sizeof(*bouncer));
    bouncer->conf = context->conf;
    notice_templates_load(&bouncer->templates, context->conf);
    context->state = bouncer;
}

static void bounce_ready(struct service_context *context)
{
    struct bouncer *bouncer = context->state;
    bouncer->dirs = queue_dirs_new(context->conf);
    bouncer->cleanup = submit_client_new(context->conf, NULL);
}

static void bounce_session(struct service_context *context, struct stream *client)
{
    struct arena arena = {0};
    struct bounce_request request;
    stream_set_timeout(client, conf_time(context->conf, P_max_idle));
    while (!context->stopping && bounce_receive(client, &arena, &request)) {
        struct err err = {0};
        enum outcome outcome = request_serve(context->state, &request, &err);
        if (!bounce_send_reply(client, outcome, view_cstr(err.text))) {
            break;
        }
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static void bounce_close(struct service_context *context)
{
    struct bouncer *bouncer = context->state;
    if (bouncer == NULL) {
        return;
    }
    submit_client_free(&bouncer->cleanup);
    queue_dirs_free(&bouncer->dirs);
    notice_templates_free(&bouncer->templates);
    free(bouncer);
    context->state = NULL;
}

int main(int argc, char **argv)
{
    static const struct service bounce_service = {
        .name = "bounce",
        .kind = SERVICE_CONCURRENT,
        .open = bounce_open,
        .ready = bounce_ready,
        .session = bounce_session,
        .close = bounce_close,
    };
    return service_main(&bounce_service, argc, argv);
}
