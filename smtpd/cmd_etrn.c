/* SPDX-License-Identifier: MIT */
/* ETRN (RFC 1985): a host that was away asks for its mail. */
#include "base/log.h"
#include "mail/address.h"
#include "rpc/notify.h"
#include "smtpd/access/access.h"
#include "smtpd/command.h"
#include "smtpd/reply.h"

static bool is_time(struct session *session)
{
    if (session->helo.len == 0 && conf_bool(session->conf, P_smtpd_helo_required)) {
        reply(session, "503 Error: send HELO/EHLO first");
    } else if (session->message != NULL) {
        reply(session, "503 Error: MAIL transaction in progress");
    } else {
        return true;
    }
    return false;
}

/* "@domain" (its subdomains too) is the same to us; "#queue" is not known. */
static bool parse(struct session *session, struct view arguments,
                  struct view *domain_out)
{
    struct view word;
    struct view rest = arguments;
    if (!view_next_word(&rest, " \t", &word) || view_trim(rest).len > 0) {
        reply(session, "500 Syntax: ETRN domain");
        return false;
    }
    if (word.ptr[0] == '@' || word.ptr[0] == '#') {
        word = view_from(word, 1);
    }
    bool literal = word.len > 0 && word.ptr[0] == '[';
    if (literal ? !address_valid_literal(word) : !address_valid_hostname(word)) {
        reply(session, "501 Error: invalid parameter syntax");
        return false;
    }
    *domain_out = word;
    return true;
}

static bool flush_site(struct session *session, struct view domain)
{
    struct err err = {0};
    char *path = arena_printf(&session->scratch, "public/%s",
                              conf_str(session->conf, P_flush_service_name));
    if (notify_send(path, NOTIFY_FLUSH_SITE, domain, &err) == OK) {
        reply(session, "250 Queuing started");
        return true;
    }
    log_warning("cannot ask for mail for %.*s: %s", VIEW_ARG(domain), err.text);
    reply(session, "458 Unable to queue messages");
    return false;
}

bool cmd_etrn(struct session *session, struct view arguments)
{
    struct view domain;
    struct err err = {0};
    if (!is_time(session) || !parse(session, arguments, &domain)) {
        return false;
    }
    if (!access_etrn(session, domain)) {
        reply(session, "%s", str_ptr(&session->verdict));
        return false;
    }
    switch (
        match_list_find(session->server->fast_flush_domains, domain, VIEW(""), &err)) {
    case MAP_FOUND:
        return flush_site(session, domain);
    case MAP_MISSING:
        log_warning("reject: ETRN %.*s... from %s", VIEW_ARG(domain),
                    session->client.shown);
        reply(session, "459 <%.*s>: service unavailable", VIEW_ARG(domain));
        return false;
    case MAP_ERROR:
        break;
    }
    reply(session, "458 Unable to queue messages");
    return false;
}
