/* SPDX-License-Identifier: MIT */
/* RCPT (RFC 5321 section 4.1.1.3) adds a recipient, if the restrictions let it. */
#include "mail/address.h"
#include "smtpd/access/access.h"
#include "smtpd/command.h"
#include "smtpd/esmtp_parameters.h"
#include "smtpd/limits.h"
#include "smtpd/message.h"
#include "smtpd/path.h"
#include "smtpd/reply.h"

struct rcpt {
    struct view address;
    struct rcpt_parameters parameters;
};

static bool is_time(struct session *session)
{
    if (session->message == NULL) {
        reply(session, "503 5.5.1 Error: need MAIL command");
        return false;
    }
    if (session->bdat != BDAT_NONE) {
        reply(session, "503 5.5.1 Error: RCPT after BDAT");
        return false;
    }
    return true;
}

static bool parse(struct session *session, struct view arguments, struct rcpt *rcpt)
{
    struct view text;
    struct view rest;
    const char *error;
    if (!path_find(arguments, "TO", &text)) {
        reply(session, "501 5.5.4 Syntax: RCPT TO:<address>");
        return false;
    }
    if (!path_parse_recipient(session, "RCPT", text, &rcpt->address, &rest)) {
        reply(session, "501 5.1.3 Bad recipient address syntax");
        return false;
    }
    if (!rcpt_parameters_parse(rest, session->discarded_keywords, &session->scratch,
                               &rcpt->parameters, &error)) {
        reply(session, "%s", error);
        return false;
    }
    return path_check_utf8(session, rcpt->address, session->message->smtputf8);
}

/* What a notice must call the recipient: as given, unless the client said otherwise. */
static struct view original_recipient(struct session *session, const struct rcpt *rcpt)
{
    STR_AUTO struct str external = {0};
    if (rcpt->parameters.orcpt.len > 0) {
        return rcpt->parameters.orcpt;
    }
    address_quote(rcpt->address, &external);
    return view_cstr(arena_printf(
        &session->scratch, "%s;%s",
        path_is_ascii(str_view(&external)) ? "rfc822" : "utf-8", str_ptr(&external)));
}

static bool add(struct session *session, const struct rcpt *rcpt)
{
    CHECK(session->message != NULL && rcpt->address.len > 0);
    if (!message_open(session)) {
        reply(session, "451 4.3.0 Error: queue file write error");
        return false;
    }
    struct queue_recipient recipient = {
        .address = rcpt->address,
        .dsn_orcpt = original_recipient(session, rcpt),
        .dsn_notify = rcpt->parameters.notify,
    };
    message_add_recipient(session->message, &recipient);
    reply(session, "250 2.1.5 Ok");
    return true;
}

/* A few recipients too many are no fault of the client: it will try them again. */
static bool refuse_excess(struct session *session)
{
    CHECK(session->message->overshoot >= 0);
    struct message *message = session->message;
    reply(session, "452 4.5.3 Error: too many recipients");
    return message->overshoot++ <
           conf_int(session->conf, P_smtpd_recipient_overshoot_limit);
}

bool cmd_rcpt(struct session *session, struct view arguments)
{
    struct rcpt rcpt;
    if (!is_time(session) || !limits_allow_rcpt(session) ||
        !parse(session, arguments, &rcpt)) {
        return false;
    }
    size_t limit = (size_t)conf_int(session->conf, P_smtpd_recipient_limit);
    if (session->message->recipient_count >= limit) {
        return refuse_excess(session);
    }
    if (!access_rcpt(session, rcpt.address)) {
        reply(session, "%s", str_ptr(&session->verdict));
        return false;
    }
    return add(session, &rcpt);
}
