/* SPDX-License-Identifier: MIT */
/*
 * Replies: one line each, or with smtpd_reject_footer several.  A footer that begins
 * with \c continues the line; \n begins a new one, with the same codes in front.
 */
#include "smtpd/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/ascii.h"
#include "base/log.h"
#include "mail/address.h"
#include "smtpd/message.h"
#include "sys/clock.h"
#include "task/task.h"

/* Room enough for any reply of ours; a longer text from a table is cut. */
enum { REPLY_MAX = 2000 };

/* --- the footer --------------------------------------------------------------- */

struct footer_names {
    const struct session *session;
    struct str value;
};

static const char *local_time(struct str *out)
{
    char text[64];
    time_t now = (time_t)(clock_wall() / CLOCK_SECOND);
    struct tm tm;
    if (localtime_r(&now, &tm) != NULL &&
        strftime(text, sizeof(text), "%b %d %H:%M:%S", &tm) > 0) {
        str_set_cstr(out, text);
    }
    return str_ptr(out);
}

/* Only characters of smtpd_expansion_filter come out of the client's words. */
static const char *filtered(struct footer_names *names, const char *text)
{
    const bool *allowed = names->session->server->expansion_allowed;
    str_clear(&names->value);
    for (; *text != '\0'; text++) {
        str_add_byte(&names->value,
                     (char)(allowed[(unsigned char)*text] ? *text : '_'));
    }
    return str_ptr(&names->value);
}

static const char *footer_value(void *context, const char *name)
{
    struct footer_names *names = context;
    const struct session *session = names->session;
    const struct client *client = &session->client;
    const struct {
        const char *name, *value;
    } known[] = {
        {"client", client->origin},
        {"client_address", client->address_text},
        {"client_name", client->name},
        {"client_port", client->port},
        {"helo_name", str_ptr(&session->helo)},
        {"reverse_client_name", client->reverse_name},
        {"server_address", client->server_address},
        {"server_name", conf_str(session->conf, P_myhostname)},
        {"server_port", client->server_port},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            return filtered(names, known[i].value);
        }
    }
    if (strcmp(name, "localtime") == 0) {
        return local_time(&names->value);
    }
    if (session->message != NULL && strcmp(name, "sender") == 0) {
        return filtered(names, session->message->sender);
    }
    if (session->message != NULL && strcmp(name, "recipient") == 0) {
        return filtered(names, message_only_recipient(session->message));
    }
    return NULL;
}

/* Length of the codes in front of a reply: "550 5.1.1 " or "500 ". */
static size_t code_length(const char *line)
{
    CHECK(strlen(line) > 4);
    size_t len = 4;
    if (ascii_digit(line[4]) && line[5] == '.') {
        len += strcspn(line + len, " ") + 1;
    }
    return len;
}

static void put_lines(struct session *session, struct view lines, size_t codes)
{
    CHECK(codes >= 4 && codes <= lines.len);
    struct view front = view_first(lines, codes);
    bool first = true;
    for (;;) {
        size_t end = view_index(lines, '\n');
        bool last = end >= lines.len;
        STR_AUTO struct str line = {0};
        if (!first) {
            str_add(&line, front);
        }
        str_add(&line, view_first(lines, end));
        line.ptr[3] = last ? ' ' : '-';
        stream_write(session->stream, str_view(&line));
        stream_write(session->stream, VIEW("\r\n"));
        if (last) {
            return;
        }
        lines = view_from(lines, end + 1);
        first = false;
    }
}

/* TEMPLATE's two-character escapes: \n, and \c at the start. */
static void add_footer(struct str *text, const char *template)
{
    if (template[0] == '\\' && template[1] == 'c') {
        template += 2;
    } else {
        str_add_byte(text, '\n');
    }
    for (; *template != '\0'; template ++) {
        if (template[0] == '\\' && template[1] == 'n') {
            str_add_byte(text, '\n');
            template ++;
        } else {
            str_add_byte(text, *template);
        }
    }
}

static void put_with_footer(struct session *session, const char *line,
                            const char *template)
{
    STR_AUTO struct str expanded = {0};
    STR_AUTO struct str lines = {0};
    struct footer_names names = {.session = session};
    struct err err = {0};
    size_t codes = code_length(line);
    str_add_cstr(&lines, line);
    if (conf_expand_with(template, footer_value, &names, &expanded, &err) == OK) {
        add_footer(&lines, str_ptr(&expanded));
    } else {
        log_warning("smtpd_reject_footer: %s", err.text);
    }
    str_done(&names.value);
    put_lines(session, str_view(&lines), codes);
}

/* --- replies ------------------------------------------------------------------ */

void reply_soften(char *line)
{
    if (line[0] != '5') {
        return;
    }
    line[0] = '4'; /* 521 becomes 421, which closes the connection too */
    if (line[4] == '5' && line[5] == '.') {
        line[4] = '4';
    }
}

static void slow_down(struct session *session)
{
    int64_t delay = conf_time(session->conf, P_smtpd_error_sleep_time);
    if (delay > 0 &&
        session->errors >= conf_int(session->conf, P_smtpd_soft_error_limit)) {
        (void)stream_flush(session->stream);
        (void)task_sleep_until(clock_now() + delay); /* cancelled: the stream knows */
    }
}

void reply(struct session *session, const char *format, ...)
{
    char line[REPLY_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args); /* cut: a text for people */
    va_end(args);
    CHECK(ascii_digit(line[0]) && ascii_digit(line[2]) && line[3] == ' ');
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 127) {
            *c = '?';
        }
    }
    slow_down(session);
    if (conf_bool(session->conf, P_soft_bounce)) {
        reply_soften(line);
    }
    const char *footer = conf_raw(session->conf, P_smtpd_reject_footer);
    if (*footer != '\0' && (line[0] == '4' || line[0] == '5')) {
        put_with_footer(session, line, footer);
    } else {
        stream_write_cstr(session->stream, line);
        stream_write(session->stream, VIEW("\r\n"));
    }
    if (strncmp(line, "421", 3) == 0 || strncmp(line, "521", 3) == 0) {
        session->closing = true;
    }
}

void reply_line(struct session *session, const char *format, ...)
{
    char line[REPLY_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args); /* cut: a text for people */
    va_end(args);
    stream_write_cstr(session->stream, line);
    stream_write(session->stream, VIEW("\r\n"));
}
