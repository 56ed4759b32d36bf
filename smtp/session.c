/* SPDX-License-Identifier: MIT */
/*
 * From connect to EHLO, and the end.  A server that does not get this far is no
 * failure of the message: the next one is tried.
 */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/number.h"
#include "net/connect.h"
#include "smtp/smtp.h"
#include "sys/clock.h"

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
        outcome_unreachable(session, err.text);
        return false;
    }
    session->stream = stream_new(fd);
    return true;
}

void session_set_timeout(struct session *session, enum param timeout)
{
    session->timeout = conf_time(session->delivery->smtp->conf, timeout);
    stream_set_timeout(session->stream, session->timeout);
}

bool session_exchange(struct session *session, struct smtp_reply *reply)
{
    return stream_flush(session->stream) && reply_read(session, false, reply);
}

/* --- EHLO ------------------------------------------------------------------------ */

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

/* The first line is the server's name; each of the others is "250-KEYWORD ...". */
static void note_features(struct session *session, struct view lines)
{
    struct view line;
    (void)view_next_word(&lines, "\n", &line);
    while (view_next_word(&lines, "\n", &line)) {
        note_feature(session, view_from(line, strlen("250-")));
    }
}

static bool say_hello(struct session *session, const char *verb,
                      struct smtp_reply *reply)
{
    const struct conf *conf = session->delivery->smtp->conf;
    stream_printf(session->stream, "%s %s\r\n", verb, conf_str(conf, P_smtp_helo_name));
    if (session_exchange(session, reply)) {
        return true;
    }
    outcome_lost(session, view_equal_cstr(VIEW("EHLO"), verb)
                              ? "performing the EHLO handshake"
                              : "performing the HELO handshake");
    return false;
}

/* Does the greeting say that the server knows more than RFC 821? */
static bool says_esmtp(struct view greeting)
{
    struct view word;
    while (view_next_word(&greeting, " ", &word)) {
        if (view_equal_nocase_cstr(word, "ESMTP")) {
            return true;
        }
    }
    return false;
}

static bool wants_ehlo(const struct conf *conf, struct view greeting)
{
    return !conf_bool(conf, P_smtp_never_send_ehlo) &&
           (conf_bool(conf, P_smtp_always_send_ehlo) || says_esmtp(greeting));
}

/* EHLO, and HELO if that is refused.  False: the connection broke. */
static bool introduce(struct session *session, struct smtp_reply *reply)
{
    const struct conf *conf = session->delivery->smtp->conf;
    if (wants_ehlo(conf, reply->text)) {
        if (!say_hello(session, "EHLO", reply)) {
            return false;
        }
        if (reply->code / 100 == 2) {
            note_features(session, reply->lines);
            return true;
        }
        if (reply->code == 421) {
            return true; /* it is closing the connection: no use to ask again */
        }
    }
    return say_hello(session, "HELO", reply);
}

/* A 5xx greeting says something about this server, not about the mail. */
static void soften_greeting(const struct conf *conf, struct smtp_reply *reply)
{
    if (reply->code / 100 == 5 && conf_bool(conf, P_smtp_skip_5xx_greeting)) {
        reply->code -= 100;
        reply->dsn[0] = '4';
    }
}

static bool greet(struct session *session)
{
    const struct conf *conf = session->delivery->smtp->conf;
    struct smtp_reply reply;
    session_set_timeout(session, P_smtp_helo_timeout);
    if (!reply_read(session, true, &reply)) {
        outcome_lost(session, "receiving the initial server greeting");
        return false;
    }
    soften_greeting(conf, &reply);
    if (reply.code / 100 == 2 && !introduce(session, &reply)) {
        return false;
    }
    if (reply.code / 100 != 2) {
        outcome_unwelcome(session, &reply);
        return false;
    }
    return true;
}

bool session_open(struct session *session, struct delivery *delivery,
                  const struct target *target)
{
    *session = (struct session){.delivery = delivery,
                                .target = target,
                                .opened = clock_now(),
                                .uses = 1,
                                .clean = true};
    name_peer(session);
    if (!connect_target(session)) {
        return false;
    }
    bool welcome = greet(session);
    if (welcome) {
        delivery->times.connected = clock_wall();
    }
    return welcome;
}

bool session_reopen(struct session *session, struct delivery *delivery,
                    const struct target *target)
{
    struct smtp_cache *cache = delivery->smtp->cache;
    struct kept_connection kept;
    if (cache == NULL || !cache_take(cache, target, &kept)) {
        return false;
    }
    *session = (struct session){.delivery = delivery,
                                .target = target,
                                .stream = kept.stream,
                                .features = kept.features,
                                .size_limit = kept.size_limit,
                                .opened = kept.opened,
                                .uses = kept.uses + 1,
                                .clean = true};
    name_peer(session);
    delivery->times.connected = clock_wall();
    return true;
}

/* --- the end --------------------------------------------------------------------- */

void session_reset(struct session *session)
{
    struct smtp_reply reply;
    if (session->broken || !stream_ok(session->stream)) {
        return;
    }
    session_set_timeout(session, P_smtp_rset_timeout);
    stream_write_cstr(session->stream, "RSET\r\n");
    session->clean = session_exchange(session, &reply) && reply.code / 100 == 2;
}

static bool keep(struct session *session)
{
    const struct delivery *delivery = session->delivery;
    struct smtp_cache *cache = delivery->smtp->cache;
    if (cache == NULL || !session->clean || session->confused ||
        !cache_wants(cache, delivery->request)) {
        return false;
    }
    struct kept_connection connection = {.stream = session->stream,
                                         .address = session->target->address,
                                         .features = session->features,
                                         .size_limit = session->size_limit,
                                         .opened = session->opened,
                                         .uses = session->uses};
    (void)snprintf(connection.host, sizeof(connection.host), "%s",
                   session->target->host);
    if (!cache_put(cache, &connection)) {
        return false;
    }
    session->stream = NULL;
    return true;
}

void session_close(struct session *session)
{
    if (!session->broken && stream_ok(session->stream)) {
        if (keep(session)) {
            return;
        }
        session_set_timeout(session, P_smtp_quit_timeout);
        stream_write_cstr(session->stream, "QUIT\r\n");
        if (stream_flush(session->stream) &&
            !conf_bool(session->delivery->smtp->conf, P_smtp_skip_quit_response)) {
            struct smtp_reply reply;
            (void)reply_read(session, false, &reply);
        }
    }
    stream_free(&session->stream);
}
