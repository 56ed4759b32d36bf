/* SPDX-License-Identifier: MIT */
/*
 * The command table, and the loop: a line, its verb, the function for it.  What is
 * not a command is counted; what is the command of another protocol, or a piece of a
 * message, ends the session.
 */
#include "smtpd/command.h"

#include "base/ascii.h"
#include "base/log.h"
#include "smtpd/reply.h"
#include "smtpd/tls.h"
#include "sys/clock.h"

static const struct command COMMANDS[] = {
    {"HELO", COMMAND_HELO, COMMAND_LAST | COMMAND_BEFORE_TLS, cmd_helo},
    {"EHLO", COMMAND_EHLO, COMMAND_LAST | COMMAND_BEFORE_TLS, cmd_ehlo},
    {"XCLIENT", COMMAND_XCLIENT, 0, cmd_xclient},
    {"XFORWARD", COMMAND_XFORWARD, 0, cmd_xforward},
    {"STARTTLS", COMMAND_STARTTLS, COMMAND_LAST | COMMAND_BEFORE_TLS, cmd_starttls},
    {"AUTH", COMMAND_AUTH, 0, cmd_auth},
    {"MAIL", COMMAND_MAIL, 0, cmd_mail},
    {"RCPT", COMMAND_RCPT, 0, cmd_rcpt},
    {"DATA", COMMAND_DATA, COMMAND_LAST, cmd_data},
    {"BDAT", COMMAND_BDAT, 0, cmd_bdat},
    {"RSET", COMMAND_RSET, COMMAND_JUNK, cmd_rset},
    {"NOOP", COMMAND_NOOP, COMMAND_JUNK | COMMAND_LAST | COMMAND_BEFORE_TLS, cmd_noop},
    {"VRFY", COMMAND_VRFY, COMMAND_JUNK | COMMAND_LAST, cmd_vrfy},
    {"ETRN", COMMAND_ETRN, COMMAND_JUNK, cmd_etrn},
    {"QUIT", COMMAND_QUIT, COMMAND_ALWAYS | COMMAND_BEFORE_TLS, cmd_quit},
};

const struct command *command_find(struct view name)
{
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++) {
        if (view_equal_nocase_cstr(name, COMMANDS[i].name)) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

/* --- reading ------------------------------------------------------------------------
 */

void command_skip_line(struct session *session, size_t most)
{
    struct view rest;
    bool ended = false;
    while (!ended && stream_read_line(session->stream, most, &rest, &ended)) {
        continue;
    }
}

void command_set_deadline(struct session *session)
{
    const struct conf *conf = session->conf;
    if (conf_bool(conf, P_smtpd_per_request_deadline)) {
        stream_set_deadline(session->stream,
                            clock_now() + conf_time(conf, P_smtpd_timeout));
    }
}

/* The next command, without what follows a NUL byte.  False: the client is gone. */
static bool read_line(struct session *session, struct view *line_out)
{
    const struct conf *conf = session->conf;
    struct view line;
    bool whole = false;
    size_t most = (size_t)conf_int(conf, P_line_length_limit);
    if (!session_has_line(session)) {
        if (!stream_flush(session->stream)) {
            return false;
        }
        stream_trim(session->stream); /* it may be a long time */
    }
    command_set_deadline(session);
    if (!stream_read_line(session->stream, most, &line, &whole) ||
        (!whole && !stream_ok(session->stream))) {
        return false;
    }
    line = view_first(line, view_index(line, '\0'));
    char *text = arena_cstr(&session->scratch, line);
    for (size_t i = 0; i < line.len; i++) {
        text[i] = (char)(text[i] == '\r' ? '?' : text[i]); /* fit for any record */
    }
    *line_out = view_of(text, line.len);
    if (!whole) {
        log_warning("%s: request longer than %zu: %.30s...", session->client.shown,
                    most, line_out->ptr);
        command_skip_line(session, most);
    }
    return stream_ok(session->stream);
}

/* --- what is no command --------------------------------------------------------------
 */

static bool is_listed(struct match_list *list, struct view word)
{
    struct err err = {0};
    return match_list_find(list, word, VIEW(""), &err) == MAP_FOUND;
}

/* A header, or the request of another protocol: somebody was made to talk to us. */
static bool is_abuse(struct session *session, struct view verb)
{
    size_t colon = view_index(verb, ':');
    bool header = colon > 0 && colon < verb.len;
    return header || is_listed(session->server->forbidden_commands, verb);
}

static void refuse_unknown(struct session *session, struct view line, struct view verb)
{
    session->where = "UNKNOWN";
    session->counts[COMMAND_UNKNOWN].all +=
        verb.len > 0; /* an empty line is no command */
    if (verb.len > 0 && is_abuse(session, verb)) {
        STR_AUTO struct str shown = {0};
        session_add_escaped(&shown, line);
        log_warning("non-SMTP command from %s: %s", session->client.shown,
                    str_ptr(&shown));
        reply(session, "221 2.7.0 Error: I can break rules, too. Goodbye.");
        session->closing = true;
        return;
    }
    session->errors++;
    reply(session, verb.len > 0 ? "500 5.5.2 Error: command not recognized"
                                : "500 5.5.2 Error: bad syntax");
}

/* --- doing --------------------------------------------------------------------------
 */

static bool is_utf8(struct view text)
{
    size_t i = 0;
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i++];
        int more = c < 0x80   ? 0
                   : c < 0xc2 ? -1
                   : c < 0xe0 ? 1
                   : c < 0xf0 ? 2
                   : c < 0xf5 ? 3
                              : -1;
        if (more < 0 || i + (size_t)more > text.len) {
            return false;
        }
        for (; more > 0; more--) {
            if (((unsigned char)text.ptr[i++] & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

/* NOOP and its like are free, up to a point. */
static void count_junk(struct session *session)
{
    if (session->junk_commands++ >
        conf_int(session->conf, P_smtpd_junk_command_limit)) {
        session->errors++;
    }
}

static void run_command(struct session *session, const struct command *command,
                        struct view arguments)
{
    CHECK(command->id < COMMAND_UNKNOWN && command->run != NULL);
    struct command_count *count = &session->counts[command->id];
    session->where = command->name;
    count->all++;
    bool last = (command->flags & COMMAND_LAST) != 0;
    if ((last || !session->esmtp) && command->id != COMMAND_QUIT &&
        command->id != COMMAND_BDAT && !session_check_pipelining(session, last)) {
        return;
    }
    if (session->denied && (command->flags & COMMAND_ALWAYS) == 0) {
        session->errors++;
        reply(session, "503 5.7.0 Error: access denied for %s", session->client.shown);
        return;
    }
    if (tls_required(session) && (command->flags & COMMAND_BEFORE_TLS) == 0) {
        session->errors++;
        reply(session, "530 5.7.0 Must issue a STARTTLS command first");
        return;
    }
    if (command->run(session, arguments)) {
        count->good++;
    } else {
        session->errors++;
    }
    if ((command->flags & COMMAND_JUNK) != 0) {
        count_junk(session);
    }
}

static void do_line(struct session *session, struct view line)
{
    struct view rest = view_trim(line);
    struct view text = rest;
    struct view verb = VIEW("");
    if (conf_bool(session->conf, P_smtputf8_enable) && !is_utf8(line)) {
        session->errors++;
        reply(session, "500 5.5.2 Error: bad UTF-8 syntax");
        return;
    }
    (void)view_next_word(&rest, " \t\r\n\v\f", &verb); /* an empty line has none */
    if (verb.len > 0 && is_listed(session->server->noop_commands, verb)) {
        reply(session, "250 2.0.0 Ok");
        count_junk(session);
        return;
    }
    const struct command *command = command_find(verb);
    if (command == NULL) {
        refuse_unknown(session, text, verb);
        return;
    }
    run_command(session, command, view_trim(rest));
}

void command_loop(struct session *session)
{
    const int limit = conf_int(session->conf, P_smtpd_hard_error_limit);
    struct view line;
    while (!session->closing && stream_ok(session->stream)) {
        if (session->errors >= limit) {
            reply(session, "421 4.7.0 %s Error: too many errors",
                  conf_str(session->conf, P_myhostname));
            log_info("too many errors after %s from %s", session->where,
                     session->client.shown);
            return;
        }
        if (!read_line(session, &line)) {
            return;
        }
        do_line(session, line);
        arena_clear(&session->scratch);
    }
}
