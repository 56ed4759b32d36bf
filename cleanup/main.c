/* SPDX-License-Identifier: MIT */
/*
 * cleanup: takes messages from smtpd, pickup, local and bounce, completes their
 * headers and addresses, writes their queue files, and tells the queue manager.
 */
#include "cleanup/cleanup.h"
#include "cleanup/session.h"
#include "service/service.h"

static void cleanup_open(struct service_context *context)
{
    context->state = settings_new(context->conf);
}

static void cleanup_session(struct service_context *context, struct stream *client)
{
    session_serve(context->state, client, &context->stopping);
}

static bool cleanup_outdated(struct service_context *context)
{
    return settings_outdated(context->state);
}

static void cleanup_close(struct service_context *context)
{
    struct settings *settings = context->state;
    settings_free(&settings);
    context->state = NULL;
}

int main(int argc, char **argv)
{
    static const struct service cleanup_service = {
        .name = "cleanup",
        .kind = SERVICE_CONCURRENT,
        .open = cleanup_open,
        .session = cleanup_session,
        .outdated = cleanup_outdated,
        .close = cleanup_close,
    };
    return service_main(&cleanup_service, argc, argv);
}
