/* SPDX-License-Identifier: MIT */
/* VRFY (RFC 5321 section 4.1.1.6): would mail to this recipient be accepted? */
#include "smtpd/access/access.h"
#include "smtpd/command.h"
#include "smtpd/path.h"
#include "smtpd/reply.h"

/* "address SMTPUTF8" -> "address". */
static struct view without_option(struct view arguments)
{
    size_t space = view_last_index(arguments, ' ');
    if (space < arguments.len &&
        view_equal_nocase_cstr(view_from(arguments, space + 1), "SMTPUTF8")) {
        return view_trim(view_first(arguments, space));
    }
    return arguments;
}

static bool is_possible(struct session *session, struct view arguments)
{
    if (conf_bool(session->conf, P_disable_vrfy_command)) {
        reply(session, "502 5.5.1 VRFY command is disabled");
    } else if (session->helo.len == 0 &&
               conf_bool(session->conf, P_smtpd_helo_required)) {
        reply(session, "503 5.5.1 Error: send HELO/EHLO first");
    } else if (arguments.len == 0) {
        reply(session, "501 5.5.4 Syntax: VRFY address [SMTPUTF8]");
    } else {
        return true;
    }
    return false;
}

bool cmd_vrfy(struct session *session, struct view arguments)
{
    struct view address;
    struct view rest;
    if (!is_possible(session, arguments)) {
        return false;
    }
    struct view text = without_option(arguments);
    if (!path_parse_recipient(session, "VRFY", text, &address, &rest)) {
        reply(session, "501 5.1.3 Bad recipient address syntax");
        return false;
    }
    if (rest.len > 0) {
        path_log_illegal(session, "VRFY", text);
        reply(session, "501 5.1.3 Bad recipient address syntax");
        return false;
    }
    bool declared = text.len < arguments.len;
    if (!path_check_utf8(session, address, declared)) {
        return false;
    }
    if (!access_rcpt(session, address)) {
        reply(session, "%s", str_ptr(&session->verdict));
        return false;
    }
    reply(session, "252 2.0.0 %.*s", VIEW_ARG(text));
    return true;
}
