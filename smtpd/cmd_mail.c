/* SPDX-License-Identifier: MIT */
/* MAIL (RFC 5321 section 4.1.1.2) begins a transaction. */
#include "smtpd/access/access.h"
#include "smtpd/command.h"
#include "smtpd/ehlo.h"
#include "smtpd/esmtp_parameters.h"
#include "smtpd/limits.h"
#include "smtpd/message.h"
#include "smtpd/path.h"
#include "smtpd/reply.h"

struct mail {
    struct view sender;
    struct mail_parameters parameters;
};

static bool is_time(struct session *session)
{
    if (session->helo.len == 0 && conf_bool(session->conf, P_smtpd_helo_required)) {
        reply(session, "503 5.5.1 Error: send HELO/EHLO first");
    } else if (session->message != NULL) {
        reply(session, "503 5.5.1 Error: nested MAIL command");
    } else if (session->bdat != BDAT_NONE) {
        reply(session, "503 5.5.1 Error: MAIL after BDAT");
    } else {
        return true;
    }
    return false;
}

static bool parse(struct session *session, struct view arguments, struct mail *mail)
{
    struct view text;
    struct view rest;
    const char *error;
    if (!path_find(arguments, "FROM", &text)) {
        reply(session, "501 5.5.4 Syntax: MAIL FROM:<address>");
        return false;
    }
    if (!path_parse(session, "MAIL", text, &mail->sender, &rest)) {
        reply(session, "501 5.1.7 Bad sender address syntax");
        return false;
    }
    unsigned hidden = session->discarded_keywords;
    if (!conf_bool(session->conf, P_smtputf8_enable)) {
        hidden |= EHLO_SMTPUTF8;
    }
    if (!mail_parameters_parse(rest, hidden, &session->scratch, &mail->parameters,
                               &error)) {
        reply(session, "%s", error);
        return false;
    }
    return path_check_utf8(session, mail->sender, mail->parameters.smtputf8);
}

static void begin(struct session *session, const struct mail *mail)
{
    const struct mail_parameters *given = &mail->parameters;
    struct message *message = message_new(session, mail->sender);
    message->body = given->body;
    message->smtputf8 = given->smtputf8;
    message->ret = given->ret;
    message->envid = arena_view(&message->arena, given->envid);
    message->auth_sender = arena_view(&message->arena, given->auth_sender);
}

/* With a transaction, so that restrictions see the sender; a refusal ends it. */
static bool admit(struct session *session)
{
    CHECK(session->message != NULL && session->message->recipient_count == 0);
    if (!access_size(session) ||
        (!conf_bool(session->conf, P_smtpd_delay_reject) && !access_mail(session))) {
        reply(session, "%s", str_ptr(&session->verdict));
        return false;
    }
    if (!conf_bool(session->conf, P_smtpd_delay_open_until_valid_rcpt) &&
        !message_open(session)) {
        reply(session, "451 4.3.0 Error: queue file write error");
        return false;
    }
    return true;
}

bool cmd_mail(struct session *session, struct view arguments)
{
    struct mail mail;
    if (!is_time(session) || !limits_allow_mail(session) ||
        !parse(session, arguments, &mail)) {
        return false;
    }
    if (mail.parameters.size >= 0) {
        session->declared_size = mail.parameters.size;
    }
    begin(session, &mail);
    if (!admit(session)) {
        message_free(&session->message);
        return false;
    }
    reply(session, "250 2.1.0 Ok");
    return true;
}
