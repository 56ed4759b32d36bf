/* SPDX-License-Identifier: MIT */
/* What the process knows about TLS, and what others say about it. */
#include "smtpd/tls.h"

#include "base/log.h"
#include "smtpd/ehlo.h"
#include "task/task.h"

void tls_open(struct server *server, const char *service, int ticket_fd)
{
    struct tls_report report = {.say = tls_log_mistake};
    server->service = service;
    if (server->standalone) {
        return; /* nobody listens on a pipe */
    }
    server->tls = tls_server_open(server->conf, service, ticket_fd, &report);
    if (server->tls == NULL && report.failed) {
        log_fatal("Invalid TLS level \"%s\"",
                  conf_str(server->conf, P_smtpd_tls_security_level));
    }
}

bool tls_outdated(const struct server *server)
{
    return server->tls != NULL && tls_server_outdated(server->tls);
}

static void on_change(void *context)
{
    (void)tls_outdated(context); /* which notes the time */
}

void tls_watch(struct server *server)
{
    int fd = server->tls != NULL ? tls_server_watch_fd(server->tls) : -1;
    if (fd >= 0) {
        server->tls_watch = task_watch_fd(fd, TASK_READ, on_change, server);
    }
}

bool tls_offered(const struct session *session)
{
    return session->server->tls != NULL && session->tls == NULL &&
           (session->discarded_keywords & (unsigned)EHLO_STARTTLS) == 0;
}

bool tls_required(const struct session *session)
{
    const struct server *server = session->server;
    return server->tls != NULL && session->tls == NULL &&
           tls_server_security(server->tls) == TLS_LEVEL_ENCRYPT;
}

/* --- Received ------------------------------------------------------------------------
 */

/* A name that a certificate gives itself, within a comment of a header. */
static void add_name(struct str *out, const char *before, const char *name)
{
    str_printf(out, "%s \"", before);
    for (; *name != '\0'; name++) {
        str_add_byte(out, strchr("\\\"()", *name) != NULL ? '?' : *name);
    }
    str_add_byte(out, '"');
}

void tls_add_received(const struct session *session, struct str *out)
{
    const struct tls_facts *facts = session->tls;
    if (facts == NULL || !conf_bool(session->conf, P_smtpd_tls_received_header)) {
        return;
    }
    str_add_cstr(out, "\t(using ");
    tls_facts_describe(facts, "\n\t ", "\n\t ", out);
    str_add_cstr(out, ")\n\t(");
    if (facts->peer.present) {
        add_name(out, "Client CN", facts->peer.subject_cn);
        add_name(out, ", Issuer", facts->peer.issuer_cn);
        str_printf(out, " (%s)", facts->peer.trusted ? "verified OK" : "not verified");
    } else {
        str_add_cstr(out, facts->asked ? "Client did not present a certificate"
                                       : "No client certificate requested");
    }
    str_add_cstr(out, ")\n");
}
