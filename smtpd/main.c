/* SPDX-License-Identifier: MIT */
/* smtpd: the SMTP server.  One fiber per client. */
#include "service/service.h"
#include "smtpd/server.h"
#include "smtpd/session.h"
#include "smtpd/tls.h"

static void smtpd_open(struct service_context *context)
{
    struct server *server = server_open(context->conf, context->stand_alone);
    context->state = server;
    tls_open(server, context->name, context->ticket_fd);
}

static void smtpd_ready(struct service_context *context)
{
    tls_watch(context->state);
}

static void smtpd_session(struct service_context *context, struct stream *client)
{
    session_run(context->state, client);
}

static bool smtpd_outdated(struct service_context *context)
{
    return server_outdated(context->state);
}

static void smtpd_close(struct service_context *context)
{
    struct server *server = context->state;
    server_close(&server);
    context->state = NULL;
}

static const struct service smtpd_service = {
    .name = "smtpd",
    .kind = SERVICE_CONCURRENT,
    .open = smtpd_open,
    .ready = smtpd_ready,
    .session = smtpd_session,
    .outdated = smtpd_outdated,
    .close = smtpd_close,
};

int main(int argc, char **argv)
{
    return service_main(&smtpd_service, argc, argv);
}
