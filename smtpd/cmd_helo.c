/* SPDX-License-Identifier: MIT */
/* HELO and EHLO (RFC 5321 section 4.1.1.1). */
#include "base/log.h"
#include "smtpd/access/access.h"
#include "smtpd/command.h"
#include "smtpd/ehlo.h"
#include "smtpd/reply.h"

/* The name goes into headers and the log: nothing in it may look like syntax there. */
static void set_helo(struct session *session, struct view name)
{
    str_clear(&session->helo);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool odd =
            (unsigned char)c < ' ' || c == 127 || strchr(" <>()\\\";@", c) != NULL;
        str_add_byte(&session->helo, (char)(odd ? '?' : c));
    }
}

/* A new greeting starts a new transaction.  False: refused, all stays as it was. */
static bool greet(struct session *session, struct view name)
{
    STR_AUTO struct str before = {0};
    str_set(&before, str_view(&session->helo));
    set_helo(session, name);
    if (!conf_bool(session->conf, P_smtpd_delay_reject) && !access_helo(session)) {
        str_set(&session->helo, str_view(&before));
        reply(session, "%s", str_ptr(&session->verdict));
        return false;
    }
    session_reset(session);
    return true;
}

bool cmd_helo(struct session *session, struct view arguments)
{
    if (arguments.len == 0) {
        reply(session, "501 Syntax: HELO hostname");
        return false;
    }
    if (!greet(session, arguments)) {
        return false;
    }
    reply(session, "250 %s", conf_str(session->conf, P_myhostname));
    return true;
}

bool cmd_ehlo(struct session *session, struct view arguments)
{
    if (arguments.len == 0) {
        reply(session, "501 Syntax: EHLO hostname");
        return false;
    }
    if (!greet(session, arguments)) {
        return false;
    }
    session->esmtp = true;
    session->discarded_keywords = ehlo_discarded(session);
    ehlo_reply(session);
    return true;
}
