/* SPDX-License-Identifier: MIT */
/*
 * One mail transaction (RFC 5321 3.3) for the recipients that have no answer yet.
 * With PIPELINING (RFC 2920) MAIL, the RCPTs and DATA go out together, a bounded
 * number at a time, so that neither side's buffers can fill up in both directions.
 */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/log.h"
#include "mail/address.h"
#include "smtp/smtp.h"

enum { PIPELINE_MAX = 100 };

struct transaction {
    struct session *session;
    size_t *indexes; /* recipients offered, in order */
    bool *accepted;  /* parallel */
    size_t count, accepted_count;
    bool sender_ok;
    bool refused_data;
};

static void write_xtext(struct stream *stream, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 33 || c > 126 || c == '+' || c == '=') {
            stream_printf(stream, "+%02X", c);
        } else {
            stream_write(stream, view_of(text.ptr + i, 1));
        }
    }
}

static bool is_ascii(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > 126) {
            return false;
        }
    }
    return true;
}

static void write_address(struct stream *stream, struct view internal)
{
    STR_AUTO struct str external = {0};
    address_quote(internal, &external);
    stream_printf(stream, "<%s>", str_ptr(&external));
}

static bool needs_utf8(const struct deliver_request *request)
{
    bool ascii = is_ascii(request->sender);
    for (size_t i = 0; ascii && i < request->recipient_count; i++) {
        ascii = is_ascii(request->recipients[i].address);
    }
    return !ascii;
}

static void write_mail(const struct session *session)
{
    const struct deliver_request *request = session->delivery->request;
    struct stream *stream = session->stream;
    static const char *const ret[] = {"", " RET=FULL", " RET=HDRS"};
    stream_write_cstr(stream, "MAIL FROM:");
    write_address(stream, request->sender);
    if ((session->features & SMTP_SIZE) != 0) {
        stream_printf(stream, " SIZE=%lld", (long long)request->content_size);
    }
    if ((session->features & SMTP_8BITMIME) != 0) {
        if ((request->file_flags & QUEUE_FILE_8BITMIME) != 0) {
            stream_write_cstr(stream, " BODY=8BITMIME");
        } else if ((request->file_flags & QUEUE_FILE_7BIT) != 0) {
            stream_write_cstr(stream, " BODY=7BIT");
        }
    }
    if ((session->features & SMTP_UTF8) != 0 &&
        (request->file_flags & QUEUE_FILE_SMTPUTF8) != 0) {
        stream_write_cstr(stream, " SMTPUTF8");
    }
    if ((session->features & SMTP_DSN) != 0) {
        if (request->dsn_envid.len > 0) {
            stream_write_cstr(stream, " ENVID=");
            write_xtext(stream, request->dsn_envid);
        }
        if (request->dsn_ret < ARRAY_SIZE(ret)) {
            stream_write_cstr(stream, ret[request->dsn_ret]);
        }
    }
    stream_write_cstr(stream, "\r\n");
}

static void write_notify(struct stream *stream, uint8_t notify)
{
    static const struct {
        uint8_t bit;
        const char *word;
    } words[] = {{DSN_NOTIFY_NEVER, "NEVER"},
                 {DSN_NOTIFY_SUCCESS, "SUCCESS"},
                 {DSN_NOTIFY_FAILURE, "FAILURE"},
                 {DSN_NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if ((notify & words[i].bit) != 0) {
            stream_printf(stream, "%s%s", before, words[i].word);
            before = ",";
        }
    }
}

static void write_rcpt(const struct session *session,
                       const struct queue_recipient *rcpt)
{
    struct stream *stream = session->stream;
    stream_write_cstr(stream, "RCPT TO:");
    write_address(stream, rcpt->address);
    if ((session->features & SMTP_DSN) != 0) {
        size_t semicolon = view_index(rcpt->dsn_orcpt, ';');
        if (semicolon < rcpt->dsn_orcpt.len) {
            stream_printf(stream, " ORCPT=%.*s;", (int)semicolon, rcpt->dsn_orcpt.ptr);
            write_xtext(stream, view_from(rcpt->dsn_orcpt, semicolon + 1));
        }
        write_notify(stream, rcpt->dsn_notify);
    }
    stream_write_cstr(stream, "\r\n");
}

/* Answer to MAIL; false: the connection broke. */
static bool read_mail_reply(struct transaction *t)
{
    struct smtp_reply reply;
    if (!reply_read(t->session, t->session->delivery->arena, &reply)) {
        outcome_lost(t->session, "sending MAIL FROM");
        return false;
    }
    t->sender_ok = reply.code / 100 == 2;
    if (!t->sender_ok) {
        for (size_t i = 0; i < t->count; i++) {
            outcome_refused(t->session, t->indexes[i], &reply, "MAIL FROM command");
        }
    }
    return true;
}

static bool read_rcpt_reply(struct transaction *t, size_t i)
{
    struct smtp_reply reply;
    if (!reply_read(t->session, t->session->delivery->arena, &reply)) {
        outcome_lost(t->session, "sending RCPT TO");
        return false;
    }
    t->accepted[i] = t->sender_ok && reply.code / 100 == 2;
    if (t->accepted[i]) {
        t->accepted_count++;
    } else if (t->sender_ok) {
        outcome_refused(t->session, t->indexes[i], &reply, "RCPT TO command");
    }
    return true;
}

/* Answer to DATA: true when the content may follow. */
static bool read_data_reply(struct transaction *t)
{
    struct smtp_reply reply;
    if (!reply_read(t->session, t->session->delivery->arena, &reply)) {
        outcome_lost(t->session, "sending DATA command");
        return false;
    }
    if (reply.code / 100 == 3) {
        return true;
    }
    t->refused_data = true;
    for (size_t i = 0; i < t->count; i++) {
        if (t->accepted[i]) {
            outcome_refused(t->session, t->indexes[i], &reply, "DATA command");
        }
    }
    return false;
}

static bool envelope_step_by_step(struct transaction *t)
{
    struct session *session = t->session;
    write_mail(session);
    if (!stream_flush(session->stream) || !read_mail_reply(t)) {
        return false;
    }
    for (size_t i = 0; t->sender_ok && i < t->count; i++) {
        write_rcpt(session, &session->delivery->request->recipients[t->indexes[i]]);
        if (!stream_flush(session->stream) || !read_rcpt_reply(t, i)) {
            return false;
        }
    }
    if (t->accepted_count == 0) {
        return false;
    }
    stream_write_cstr(session->stream, "DATA\r\n");
    return stream_flush(session->stream) && read_data_reply(t);
}

static bool envelope_pipelined(struct transaction *t)
{
    struct session *session = t->session;
    bool mail_pending = true;
    write_mail(session);
    for (size_t done = 0; done < t->count;) {
        size_t end = done + PIPELINE_MAX < t->count ? done + PIPELINE_MAX : t->count;
        for (size_t i = done; i < end; i++) {
            write_rcpt(session, &session->delivery->request->recipients[t->indexes[i]]);
        }
        if (end == t->count) {
            stream_write_cstr(session->stream, "DATA\r\n");
        }
        if (!stream_flush(session->stream) || (mail_pending && !read_mail_reply(t))) {
            return false;
        }
        mail_pending = false;
        for (; done < end; done++) {
            if (!read_rcpt_reply(t, done)) {
                return false;
            }
        }
    }
    bool go = read_data_reply(t);
    if (go && t->accepted_count == 0) {
        /* Accepted DATA for nobody: end it at once (RFC 2920 3.1). */
        struct smtp_reply reply;
        stream_write_cstr(session->stream, ".\r\n");
        if (stream_flush(session->stream)) {
            (void)reply_read(session, session->delivery->arena, &reply);
        }
        go = false;
    }
    return go;
}

static void send_message(struct transaction *t)
{
    struct session *session = t->session;
    const struct conf *conf = session->delivery->smtp->conf;
    struct smtp_reply reply;
    if (!content_send(session)) {
        session->broken = true;
        outcome_lost(session, "sending message body");
        return;
    }
    stream_write_cstr(session->stream, ".\r\n");
    stream_set_timeout(session->stream, conf_time(conf, P_smtp_data_done_timeout));
    if (!stream_flush(session->stream) ||
        !reply_read(session, session->delivery->arena, &reply)) {
        outcome_lost(session,
                     "sending end of data -- message may be sent more than once");
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (!t->accepted[i]) {
            continue;
        }
        if (reply.code / 100 == 2) {
            outcome_sent(session, t->indexes[i], &reply);
        } else {
            outcome_refused(session, t->indexes[i], &reply, "end of DATA command");
        }
    }
}

/* What this server can never take; true: recipients have their answer. */
static bool is_impossible(struct session *session)
{
    struct delivery *delivery = session->delivery;
    const struct deliver_request *request = delivery->request;
    STR_AUTO struct str reason = {0};
    const char *dsn = "5.3.4";
    if (session->size_limit > 0 && request->content_size > session->size_limit) {
        str_printf(&reason, "message size %lld exceeds size limit %lld of server %s",
                   (long long)request->content_size, (long long)session->size_limit,
                   session->peer);
    } else if ((session->features & SMTP_UTF8) == 0 && needs_utf8(request)) {
        dsn = "5.6.7";
        str_printf(&reason, "SMTPUTF8 is required, but was not offered by host %s",
                   session->peer);
    } else {
        return false;
    }
    for (size_t i = 0; i < request->recipient_count; i++) {
        if (!delivery->finished[i]) {
            outcome_final(delivery, i, session->relay, DELIVER_BOUNCED, dsn,
                          arena_view(delivery->arena, str_view(&reason)));
        }
    }
    return true;
}

void transaction_run(struct session *session)
{
    struct delivery *delivery = session->delivery;
    const size_t all = delivery->request->recipient_count;
    if (is_impossible(session)) {
        return;
    }
    struct transaction t = {.session = session};
    t.indexes = arena_alloc(delivery->arena, all * sizeof(*t.indexes));
    t.accepted = arena_alloc(delivery->arena, all * sizeof(*t.accepted));
    for (size_t i = 0; i < all; i++) {
        if (!delivery->finished[i]) {
            t.indexes[t.count++] = i;
        }
    }
    stream_set_timeout(session->stream,
                       conf_time(delivery->smtp->conf, P_smtp_rcpt_timeout));
    bool go = (session->features & SMTP_PIPELINING) != 0 ? envelope_pipelined(&t)
                                                         : envelope_step_by_step(&t);
    if (go) {
        send_message(&t);
    } else if (!stream_ok(session->stream) && !session->broken) {
        session->broken = true;
        outcome_lost(session, "sending the envelope");
    }
}
