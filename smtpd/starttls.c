/* SPDX-License-Identifier: MIT */
/*
 * From clear text to TLS.  Nothing that came in clear text is believed afterwards: not
 * what is waiting in the buffer (somebody on the way may have put it there), not the
 * client's name, not a transaction (RFC 3207 section 4.2).
 */
#include "base/log.h"
#include "smtpd/command.h"
#include "smtpd/limits.h"
#include "smtpd/reply.h"
#include "smtpd/tls.h"

static void forget_clear_text(struct session *session)
{
    session_reset(session);
    auth_forget(session);
    str_clear(&session->helo);
    session->esmtp = false;
    session->discarded_keywords = 0;
    session->bdat = BDAT_NONE;
}

/* smtpd_tls_req_ccert; the client hears of it in words that its administrator will
 * find. */
static void insist_on_certificate(struct session *session)
{
    const struct tls_peer *peer = &session->tls->peer;
    if (!tls_server_requires(session->server->tls) || peer->trusted) {
        return;
    }
    const char *reason = peer->present ? "Client certificate not trusted"
                                       : "No client certificate presented";
    log_info("NOQUEUE: abort: TLS from %s: %s", session->client.shown, reason);
    reply(session, "421 4.7.1 %s Error: %s", conf_str(session->conf, P_myhostname),
          reason);
}

static bool encrypt(struct session *session)
{
    struct tls_facts *facts = arena_alloc(&session->arena, sizeof(*facts));
    stream_discard_input(session->stream);
    if (!tls_server_accept(session->server->tls, session->stream, session->client.shown,
                           &session->arena, facts)) {
        return false;
    }
    session->tls = facts;
    insist_on_certificate(session);
    return true;
}

bool cmd_starttls(struct session *session, struct view arguments)
{
    const struct server *server = session->server;
    if (arguments.len > 0) {
        reply(session, "501 5.5.4 Syntax: STARTTLS");
        return false;
    }
    if (session->tls != NULL) {
        reply(session, "554 5.5.1 Error: TLS already active");
        return false;
    }
    if (!tls_offered(session)) {
        reply(session, "502 5.5.1 Error: command not implemented");
        return false;
    }
    if (!tls_server_usable(server->tls)) {
        reply(session, "454 4.7.0 TLS not available due to local problem");
        return false;
    }
    if (!limits_allow_starttls(session)) {
        return false;
    }
    forget_clear_text(session);
    reply(session, "220 2.0.0 Ready to start TLS");
    return stream_flush(session->stream) && encrypt(session) &&
           limits_count_tls(session);
}

bool tls_begin_wrapped(struct session *session)
{
    const struct server *server = session->server;
    if (server->tls == NULL || !conf_bool(session->conf, P_smtpd_tls_wrappermode)) {
        return true;
    }
    if (!limits_allow_wrapped(session)) {
        session->closing = true;
        return false;
    }
    if (!tls_server_usable(server->tls)) {
        log_warning("Wrapper-mode request dropped from %s for service %s. TLS context "
                    "initialization failed. For details see earlier warnings in your "
                    "logs.",
                    session->client.shown, session->server->service);
        session->closing = true;
        return false;
    }
    return encrypt(session) && !session->closing && limits_count_tls(session);
}
