/* SPDX-License-Identifier: MIT */
/* DATA (RFC 5321 section 4.1.1.4). */
#include "smtpd/access/access.h"
#include "smtpd/command.h"
#include "smtpd/content.h"
#include "smtpd/reply.h"

static bool is_time(struct session *session, struct view arguments)
{
    if (session->bdat != BDAT_NONE) {
        reply(session, "503 5.5.1 Error: DATA after BDAT");
    } else if (session->message == NULL) {
        reply(session, "503 5.5.1 Error: need RCPT command");
    } else if (session->message->recipient_count == 0) {
        reply(session, "554 5.5.1 Error: no valid recipients");
    } else if (arguments.len > 0) {
        reply(session, "501 5.5.4 Syntax: DATA");
    } else {
        return true;
    }
    return false;
}

bool cmd_data(struct session *session, struct view arguments)
{
    if (!is_time(session, arguments)) {
        return false;
    }
    if (!access_data(session)) {
        reply(session, "%s", str_ptr(&session->verdict));
        return false;
    }
    content_begin(session, true);
    reply(session, "354 End data with <CR><LF>.<CR><LF>");
    if (!stream_flush(session->stream) || !content_receive_data(session)) {
        return false;
    }
    return content_finish(session, false);
}
