/* SPDX-License-Identifier: MIT */
/*
 * AUTH (RFC 4954, section 4): challenges and responses until it is known who the client
 * is.  The responses go to whoever checks them unseen.
 */
#include "smtpd/command.h"
#include "base/log.h"
#include "smtpd/auth/login.h"
#include "smtpd/ehlo.h"
#include "smtpd/limits.h"
#include "smtpd/message.h"
#include "smtpd/reply.h"

struct exchange {
    struct view mechanism, initial; /* initial.ptr NULL: none */
};

/* What came instead of a response. */
enum answer { ANSWER_RESPONSE, ANSWER_ABORT, ANSWER_TOO_LONG, ANSWER_GONE };

static bool is_time(struct session *session)
{
    if (session->helo.len == 0 && conf_bool(session->conf, P_smtpd_helo_required)) {
        reply(session, "503 5.5.1 Error: send HELO/EHLO first");
    } else if (!auth_is_offered(session) ||
               (session->discarded_keywords & EHLO_AUTH) != 0) {
        reply(session, "503 5.5.1 Error: authentication not enabled");
    } else if (session->message != NULL) {
        reply(session, "503 5.5.1 Error: MAIL transaction in progress");
    } else if (session->auth.user != NULL) {
        reply(session, "503 5.5.1 Error: already authenticated");
    } else {
        return true;
    }
    return false;
}

static bool parse(struct session *session, struct view arguments,
                  struct exchange *exchange)
{
    static const char SPACE[] = " \t\r\n\v\f";
    struct view initial;
    struct view more;
    bool named = view_next_word(&arguments, SPACE, &exchange->mechanism);
    bool has_initial = named && view_next_word(&arguments, SPACE, &initial);
    if (!named || (has_initial && view_next_word(&arguments, SPACE, &more))) {
        reply(session, "501 5.5.4 Syntax: AUTH mechanism");
        return false;
    }
    exchange->initial = has_initial ? initial : view_of(NULL, 0);
    return true;
}

/* --- the dialogue ---------------------------------------------------------------- */

/* Any length up to what the worker takes; reply() is for texts. */
static void send_challenge(struct session *session, struct view text)
{
    stream_write(session->stream, VIEW("334 "));
    stream_write(session->stream, text);
    stream_write(session->stream, VIEW("\r\n"));
}

static enum answer read_answer(struct session *session, struct view *response)
{
    size_t most = (size_t)conf_int(session->conf, P_smtpd_sasl_response_limit);
    struct view line;
    bool whole = false;
    if (!stream_flush(session->stream)) {
        return ANSWER_GONE;
    }
    command_set_deadline(session);
    if (!stream_read_line(session->stream, most, &line, &whole) ||
        (!whole && !stream_ok(session->stream))) {
        return ANSWER_GONE;
    }
    if (!whole) {
        log_warning("%s: request longer than %zu: %.30s...", session->client.shown,
                    most, arena_cstr(&session->scratch, view_first(line, 30)));
        command_skip_line(session, most);
        return stream_ok(session->stream) ? ANSWER_TOO_LONG : ANSWER_GONE;
    }
    *response = arena_view(&session->scratch, line);
    return view_equal_cstr(line, "*") ? ANSWER_ABORT : ANSWER_RESPONSE;
}

/* True: STEP is the last one.  False: there will be no more of them, and the client
 * knows, if it is still there. */
static bool converse(struct session *session, const struct exchange *exchange,
                     struct auth_step *step)
{
    struct login login;
    bool more =
        login_begin(&login, session, exchange->mechanism, exchange->initial, step);
    while (more) {
        struct view response;
        send_challenge(session, step->text);
        enum answer answer = read_answer(session, &response);
        if (answer == ANSWER_RESPONSE) {
            more = login_continue(&login, session, response, step);
            continue;
        }
        login_abandon(&login);
        if (answer == ANSWER_ABORT) {
            log_warning("%s: SASL %.*s authentication aborted", session->client.shown,
                        VIEW_ARG(exchange->mechanism));
            reply(session, "501 5.7.0 Authentication aborted");
        } else if (answer == ANSWER_TOO_LONG) {
            reply(session, "500 5.5.6 SASL response limit exceeded");
        }
        return false;
    }
    return true;
}

/* --- the outcome ----------------------------------------------------------------- */

/* Names go into records, headers and logs. */
static const char *fit(struct session *session, struct view name)
{
    char *text = arena_cstr(&session->arena, name);
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)text[i];
        text[i] = (char)(c < ' ' || c == 127 ? '?' : c);
    }
    return text;
}

static void refuse(struct session *session, const struct exchange *exchange,
                   const struct auth_step *step)
{
    bool trouble = step->result == AUTH_TROUBLE;
    log_warning("%s: SASL %.*s authentication failed: %.*s, sasl_username=%.*s",
                session->client.shown, VIEW_ARG(exchange->mechanism),
                VIEW_ARG(step->text),
                VIEW_ARG(step->user.len > 0 ? step->user : VIEW("(unavailable)")));
    if (!trouble) {
        limits_login_failed(session);
    }
    reply(session, "%s: %.*s",
          trouble ? "454 4.7.0 Temporary authentication failure"
                  : "535 5.7.8 Error: authentication failed",
          VIEW_ARG(step->text));
}

/* A mechanism that is there, but not for clients. */
static bool is_hidden(struct session *session, struct view mechanism)
{
    const struct mechanisms *mechanisms = mechanisms_of(session);
    return mechanisms_have(&mechanisms->present, mechanism) &&
           !mechanisms_have(&mechanisms->offered, mechanism);
}

bool cmd_auth(struct session *session, struct view arguments)
{
    struct exchange exchange;
    struct auth_step step = {.result = AUTH_REFUSED,
                             .text = VIEW("no mechanism available")};
    if (!is_time(session) || !parse(session, arguments, &exchange) ||
        !limits_allow_auth(session)) {
        return false;
    }
    if (!is_hidden(session, exchange.mechanism) &&
        !converse(session, &exchange, &step)) {
        return false;
    }
    if (step.result != AUTH_DONE) {
        refuse(session, &exchange, &step);
        return false;
    }
    session->auth.method = fit(session, exchange.mechanism);
    session->auth.user = fit(session, step.user);
    reply(session, "235 2.7.0 Authentication successful");
    return true;
}
