/* SPDX-License-Identifier: MIT */
/*
 * The life of a session: who is it, banner, commands, goodbye, and the two lines in
 * the log that frame it.
 */
#include "smtpd/session.h"

#include "base/log.h"
#include "smtpd/access/access.h"
#include "smtpd/command.h"
#include "smtpd/limits.h"
#include "smtpd/message.h"
#include "smtpd/reply.h"
#include "smtpd/tls.h"

/* In the order of enum command_id. */
static const char *const COUNTER_NAMES[COMMAND_COUNT] = {
    "helo", "ehlo", "xclient", "xforward", "starttls", "auth", "mail", "rcpt",
    "data", "bdat", "rset",    "noop",     "vrfy",     "etrn", "quit", "unknown"};

void session_reset(struct session *session)
{
    CHECK(session->bdat != BDAT_RECEIVING || session->message != NULL);
    message_free(&session->message);
    session->bdat = BDAT_NONE;
    session->declared_size = 0;
}

bool session_is_encrypted(const struct session *session)
{
    return session->tls != NULL;
}

const char *session_queue_id(const struct session *session)
{
    if (session->message == NULL || session->message->submit == NULL) {
        return "NOQUEUE";
    }
    return submit_queue_id(session->message->submit);
}

bool session_has_line(struct session *session)
{
    struct view data;
    return stream_pending(session->stream) > 0 &&
           stream_peek_some(session->stream, &data) &&
           view_index(data, '\n') < data.len;
}

/* --- pipelining ---------------------------------------------------------------------
 */

void session_add_escaped(struct str *out, struct view data)
{
    enum { SHOWN = 100 };
    data = view_first(data, SHOWN);
    for (size_t i = 0; i < data.len; i++) {
        char c = data.ptr[i];
        if (c == '\r') {
            str_add_cstr(out, "\\r");
        } else if (c == '\n') {
            str_add_cstr(out, "\\n");
        } else if (c >= ' ' && c != 127 && c != '\\') {
            str_add_byte(out, c);
        } else {
            str_printf(out, "\\%03o", (unsigned char)c);
        }
    }
}

bool session_check_pipelining(struct session *session, bool ask_kernel)
{
    struct view data;
    if (session->pipelining_noticed || session->server->standalone ||
        (stream_pending(session->stream) == 0 &&
         !(ask_kernel && stream_readable_now(session->stream))) ||
        !stream_peek_some(session->stream, &data)) {
        return true;
    }
    STR_AUTO struct str text = {0};
    session_add_escaped(&text, data);
    session->pipelining_noticed = true;
    log_info("improper command pipelining after %s from %s: %s", session->where,
             session->client.shown, str_ptr(&text));
    if (!conf_bool(session->conf, P_smtpd_forbid_unauth_pipelining)) {
        return true;
    }
    reply(session, "554 5.5.0 Error: SMTP protocol synchronization");
    session->closing = true;
    return false;
}

/* --- the end -------------------------------------------------------------------------
 */

static void add_count(struct str *line, const char *name, struct command_count count,
                      bool always_both)
{
    CHECK(count.good >= 0 && count.good <= count.all);
    str_printf(line, " %s=%d", name, count.good);
    if (count.good != count.all || always_both) {
        str_printf(line, "/%d", count.all);
    }
}

static void log_disconnect(const struct session *session)
{
    struct command_count sum = {0};
    STR_AUTO struct str line = {0};
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command_count *count = &session->counts[i];
        if (count->all > 0) {
            add_count(&line, COUNTER_NAMES[i], *count, false);
            sum.good += count->good;
            sum.all += count->all;
        }
    }
    add_count(&line, "commands", sum, sum.all == 0);
    log_info("disconnect from %s%s", session->client.shown, str_ptr(&line));
}

/* Why the session ended, unless that was said already. */
static void say_goodbye(struct session *session)
{
    struct stream *stream = session->stream;
    const char *host = conf_str(session->conf, P_myhostname);
    switch (stream_state(stream)) {
    case STREAM_OK:
        (void)stream_flush(stream); /* the last words; nobody may be there */
        break;
    case STREAM_TIMEOUT:
        stream_clear_timeout(stream);
        log_info("timeout after %s from %s", session->where, session->client.shown);
        reply(session, "421 4.4.2 %s Error: timeout exceeded", host);
        (void)stream_flush(stream);
        break;
    case STREAM_CANCELLED:
        stream_clear_timeout(stream);
        reply(session, "421 4.3.2 %s Error: shutting down", host);
        (void)stream_flush(stream);
        break;
    case STREAM_EOF:
    case STREAM_ERROR:
        if (!session->closing) {
            log_info("lost connection after %s from %s", session->where,
                     session->client.shown);
        }
        break;
    }
}

/* --- the beginning ------------------------------------------------------------------
 */

/* smtpd_delay_reject = no: a client may be turned away before it says a word. */
static bool admit(struct session *session)
{
    if (conf_bool(session->conf, P_smtpd_delay_reject) || access_connect(session)) {
        return true;
    }
    session->denied = true;
    reply(session, "%s", str_ptr(&session->verdict));
    return false;
}

static void greet(struct session *session)
{
    session->where = "CONNECT";
    log_info("connect from %s", session->client.shown);
    limits_enter(session);
    if (tls_begin_wrapped(session) && limits_admit(session) &&
        session_check_pipelining(session, true) && admit(session)) {
        reply(session, "220 %s", conf_str(session->conf, P_smtpd_banner));
    }
}

static void free_parts(struct session *session)
{
    session_reset(session);
    limits_leave(session);
    str_done(&session->helo);
    str_done(&session->verdict);
    str_done(&session->at_connect.text);
    str_done(&session->at_helo.text);
    str_done(&session->at_mail.text);
    arena_clear(&session->scratch);
    arena_clear(&session->arena);
}

void session_run(struct server *server, struct stream *stream)
{
    CHECK(server != NULL && stream != NULL);
    struct session session = {.server = server, .conf = server->conf, .stream = stream};
    str_init(&session.helo, 1024);
    str_init(&session.verdict, 2000);
    stream_set_timeout(stream, conf_time(server->conf, P_smtpd_timeout));
    client_identify(&session.client, server, stream, &session.arena);
    greet(&session);
    command_loop(&session);
    say_goodbye(&session);
    log_disconnect(&session);
    free_parts(&session);
}
