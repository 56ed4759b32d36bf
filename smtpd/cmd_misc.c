/* SPDX-License-Identifier: MIT */
/* The small commands, and those that exist only with features that are switched off. */
#include "smtpd/command.h"
#include "smtpd/message.h"
#include "smtpd/reply.h"

bool cmd_rset(struct session *session, struct view arguments)
{
    if (arguments.len > 0) {
        reply(session, "501 5.5.4 Syntax: RSET");
        return false;
    }
    session_reset(session);
    reply(session, "250 2.0.0 Ok");
    return true;
}

bool cmd_noop(struct session *session, struct view arguments)
{
    (void)arguments; /* RFC 5321 section 4.1.1.9: ignored */
    reply(session, "250 2.0.0 Ok");
    return true;
}

bool cmd_quit(struct session *session, struct view arguments)
{
    (void)arguments; /* who wants to leave may leave */
    session_reset(session);
    reply(session, "221 2.0.0 Bye");
    session->closing = true;
    return true;
}

/* XCLIENT and XFORWARD speak for another client; nobody is authorized to. */
static bool refuse_proxy(struct session *session, struct view arguments,
                         const char *syntax)
{
    if (session->message != NULL) {
        reply(session, "503 5.5.1 Error: MAIL transaction in progress");
    } else if (arguments.len == 0) {
        reply(session, "501 5.5.4 Syntax: %s attribute=value...", syntax);
    } else {
        reply(session, "550 5.7.0 Error: insufficient authorization");
    }
    return false;
}

bool cmd_xclient(struct session *session, struct view arguments)
{
    return refuse_proxy(session, arguments, "XCLIENT");
}

bool cmd_xforward(struct session *session, struct view arguments)
{
    return refuse_proxy(session, arguments, "XFORWARD");
}
