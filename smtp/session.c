/* SPDX-License-Identifier: MIT */
/*
 * From connect to EHLO.  A server that does not get this far is no failure of the
 * message: the next one is tried.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/number.h"
#include "net/connect.h"
#include "smtp/smtp.h"

static void name_peer(struct session *session)
{
    char address[NET_ADDRESS_TEXT];
    net_address_text(&session->target->address, address);
    (void)snprintf(session->peer, sizeof(session->peer), "%s[%s]",
                   session->target->host, address);
    (void)snprintf(session->relay, sizeof(session->relay), "%s:%u", session->peer,
                   net_address_port(&session->target->address));
}

static bool connect_target(struct session *session)
{
    const struct conf *conf = session->delivery->smtp->conf;
    struct err err;
    int64_t timeout = conf_time(conf, P_smtp_connect_timeout);
    int fd = connect_tcp(&session->target->address, NULL,
                         timeout > 0 ? clock_now() + timeout : CLOCK_NEVER, &err);
    if (fd < 0) {
        log_info("connect to %s: %s", session->relay, err.text);
        outcome_site(session->delivery, "4.4.1", "connect to %s: %s", session->relay,
                     err.text);
        return false;
    }
    session->stream = stream_new(fd);
    return true;
}

/* One keyword line of the EHLO reply. */
static void note_feature(struct session *session, struct view line)
{
    static const struct {
        const char *keyword;
        unsigned feature;
    } features[] = {{"PIPELINING", SMTP_PIPELINING},
                    {"8BITMIME", SMTP_8BITMIME},
                    {"DSN", SMTP_DSN},
                    {"SMTPUTF8", SMTP_UTF8},
                    {"SIZE", SMTP_SIZE}};
    struct view word;
    uint64_t limit = 0;
    if (!view_next_word(&line, " \t", &word)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
        if (view_equal_nocase_cstr(word, features[i].keyword)) {
            session->features |= features[i].feature;
        }
    }
    if (view_equal_nocase_cstr(word, "SIZE") &&
        number_parse_u64(view_trim(line), INT64_MAX, &limit)) {
        session->size_limit = (int64_t)limit;
    }
}

/* The reply's lines are joined by spaces: "250-host 250-SIZE 100 250 DSN". */
static void note_features(struct session *session, struct view text)
{
    size_t start = 0;
    for (size_t i = 1; i + 4 <= text.len; i++) {
        bool boundary =
            text.ptr[i - 1] == ' ' && (memcmp(text.ptr + i, "250-", 4) == 0 ||
                                       memcmp(text.ptr + i, "250 ", 4) == 0);
        if (boundary) {
            note_feature(session, view_of(text.ptr + start + 4, i - 1 - start - 4));
            start = i;
        }
    }
    if (start > 0 && text.len > start + 4) {
        note_feature(session, view_from(text, start + 4));
    }
}

static bool say_helo(struct session *session, const char *verb,
                     struct smtp_reply *reply)
{
    const struct conf *conf = session->delivery->smtp->conf;
    stream_set_timeout(session->stream, conf_time(conf, P_smtp_helo_timeout));
    stream_printf(session->stream, "%s %s\r\n", verb, conf_str(conf, P_smtp_helo_name));
    if (!stream_flush(session->stream) ||
        !reply_read(session, session->delivery->arena, reply)) {
        outcome_lost(session, "performing the HELO handshake");
        return false;
    }
    return true;
}

static bool greet(struct session *session)
{
    struct delivery *delivery = session->delivery;
    const struct conf *conf = delivery->smtp->conf;
    struct smtp_reply reply;
    stream_set_timeout(session->stream, conf_time(conf, P_smtp_helo_timeout));
    if (!reply_read(session, delivery->arena, &reply)) {
        outcome_lost(session, "receiving the initial server greeting");
        return false;
    }
    if (reply.code / 100 == 2) {
        bool try_ehlo = conf_bool(conf, P_smtp_always_send_ehlo);
        if (try_ehlo && !say_helo(session, "EHLO", &reply)) {
            return false;
        }
        if (try_ehlo && reply.code / 100 == 2) {
            note_features(session, reply.text);
            return true;
        }
        if (!say_helo(session, "HELO", &reply)) {
            return false;
        }
    }
    if (reply.code / 100 != 2) {
        outcome_site(delivery, reply.dsn[0] == '4' ? reply.dsn : "4.0.0",
                     "host %s refused to talk to me: %.*s", session->peer,
                     VIEW_ARG(reply.text));
        log_info("host %s refused to talk to me: %.*s", session->peer,
                 VIEW_ARG(reply.text));
        return false;
    }
    return true;
}

bool session_open(struct session *session, struct delivery *delivery,
                  const struct target *target)
{
    *session = (struct session){.delivery = delivery, .target = target};
    name_peer(session);
    if (!connect_target(session)) {
        return false;
    }
    if (!greet(session)) {
        session_close(session, !session->broken);
        return false;
    }
    delivery->times.connected = clock_wall();
    return true;
}

void session_close(struct session *session, bool quit)
{
    if (quit && stream_ok(session->stream)) {
        /* smtp_skip_quit_response: the mail is safe, nobody needs the answer. */
        stream_write_cstr(session->stream, "QUIT\r\n");
        if (stream_flush(session->stream) &&
            !conf_bool(session->delivery->smtp->conf, P_smtp_skip_quit_response)) {
            struct smtp_reply reply;
            (void)reply_read(session, session->delivery->arena, &reply);
        }
    }
    stream_free(&session->stream);
}
