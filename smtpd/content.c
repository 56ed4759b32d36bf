/* SPDX-License-Identifier: MIT */
/*
 * Content goes from the stream's buffer through the filter into pieces of up to 64 KB
 * for cleanup.  When cleanup has given up (too large, no space, crashed), the rest is
 * read and forgotten, so that the client hears the reply in its place.
 */
#include "smtpd/content.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "smtpd/access/access.h"
#include "smtpd/reply.h"
#include "sys/clock.h"

enum { PIECE = 64 * 1024 };

void content_begin(struct session *session, bool dots)
{
    CHECK(session->message != NULL && session->message->recipient_count > 0);
    struct message *message = session->message;
    struct server *server = session->server;
    struct err err = {0};
    /* Programs that run "sendmail -bs" write UNIX lines. */
    bool lenient = server->standalone || server->bare_newline == BARE_NEWLINE_END;
    if (!lenient && server->bare_newline_exclusions != NULL) {
        lenient = match_list_find(server->bare_newline_exclusions,
                                  view_cstr(session->client.address_text),
                                  view_cstr(session->client.name), &err) == MAP_FOUND;
    }
    data_filter_init(&message->filter, dots, lenient);
    message->received = 0;
    message_begin_content(session);
}

/* smtpd_min_data_rate: what arrives buys more time. */
static void extend_deadline(struct session *session, size_t received)
{
    const struct conf *conf = session->conf;
    int rate = conf_int(conf, P_smtpd_min_data_rate);
    if (!conf_bool(conf, P_smtpd_per_request_deadline) || rate <= 0) {
        return;
    }
    struct message *message = session->message;
    int64_t limit = conf_time(conf, P_smtpd_timeout);
    int64_t now = clock_now();
    if (message->deadline == 0) {
        message->deadline = now + limit;
    }
    message->deadline += (int64_t)received * CLOCK_SECOND / rate;
    if (message->deadline > now + limit) {
        message->deadline = now + limit;
    }
    stream_set_deadline(session->stream, message->deadline);
}

/* Feed DATA; whatever makes a full piece goes out.  Returns how much was used. */
static size_t feed(struct message *message, struct view data, struct str *piece)
{
    size_t used = data_filter_feed(&message->filter, data, piece);
    if (piece->len >= PIECE / 2) {
        message_content(message, str_view(piece));
        str_clear(piece);
    }
    return used;
}

bool content_receive_data(struct session *session)
{
    CHECK(session->message->headed && session->message->filter.dots);
    struct message *message = session->message;
    STR_AUTO struct str piece = {0};
    struct view data;
    while (!message->filter.ended && stream_peek_some(session->stream, &data)) {
        data = view_first(data, PIECE / 2);
        size_t used = feed(message, data, &piece);
        stream_consume(session->stream, used);
        message->received += (int64_t)used;
        extend_deadline(session, used);
    }
    message_content(message, str_view(&piece));
    if (!message->filter.ended) {
        (void)snprintf(session->where_text, sizeof(session->where_text),
                       "DATA (%" PRId64 " bytes)", message->received);
        session->where = session->where_text;
    }
    return message->filter.ended;
}

bool content_receive_chunk(struct session *session, int64_t count, bool wanted)
{
    CHECK(count >= 0 && (!wanted || session->message->headed));
    struct message *message = session->message;
    STR_AUTO struct str piece = {0};
    struct view data;
    while (count > 0 && stream_peek_some(session->stream, &data)) {
        data = view_first(data, PIECE / 2);
        data = view_first(data, count < PIECE ? (size_t)count : (size_t)PIECE);
        if (wanted) {
            (void)feed(message, data, &piece); /* all of it: dots are content here */
            message->received += (int64_t)data.len;
            extend_deadline(session, data.len);
        }
        stream_consume(session->stream, data.len);
        count -= (int64_t)data.len;
    }
    if (wanted) {
        message_content(message, str_view(&piece));
    }
    return count == 0;
}

/* --- the outcome ------------------------------------------------------------------ */

static void reply_refused(struct session *session, const struct submit_result *result)
{
    const char *text =
        *result->text != '\0' ? result->text : "message content rejected";
    const char *dsn = *result->dsn != '\0' ? result->dsn : "5.7.1";
    reply(session, "%s %s %s", *dsn == '4' ? "450" : "550", dsn, text);
}

/* TEXT of what cleanup could not do; the log has the details. */
static void reply_failed(struct session *session, const struct submit_result *result,
                         const char *id)
{
    CHECK(result->status != SUBMIT_OK && *id != '\0');
    switch (result->status) {
    case SUBMIT_TOO_BIG:
        log_warning("%s: queue file size limit exceeded", id);
        reply(session, "552 5.3.4 Error: message file too big");
        break;
    case SUBMIT_TOO_MANY_HOPS:
        reply(session, "554 5.4.0 Error: too many hops");
        break;
    case SUBMIT_REJECTED:
        reply_refused(session, result);
        break;
    case SUBMIT_NO_RECIPIENTS:
    case SUBMIT_BAD_ADDRESS:
        reply(session, "554 5.5.1 Error: no valid recipients");
        break;
    case SUBMIT_ALIAS_ERROR:
        reply(session, "451 4.6.0 Alias expansion error");
        break;
    case SUBMIT_OK:
    case SUBMIT_LOOKUP_ERROR:
    case SUBMIT_WRITE_ERROR:
    case SUBMIT_LOST:
        reply(session, "451 4.3.0 Error: queue file write error");
        break;
    }
}

static void reply_queued(struct session *session, bool chunked, const char *id)
{
    if (chunked) {
        reply(session, "250 2.0.0 Ok: %" PRId64 " bytes queued as %s",
              session->message->received, id);
    } else {
        reply(session, "250 2.0.0 Ok: queued as %s", id);
    }
}

bool content_finish(struct session *session, bool chunked)
{
    CHECK(session->message != NULL && session->message->submit != NULL);
    struct submit_result result;
    char id[QUEUE_ID_MAX];
    session->where = "END-OF-MESSAGE";
    if (!access_end_of_data(session)) {
        reply(session, "%s", str_ptr(&session->verdict));
        session_reset(session);
        return false;
    }
    (void)snprintf(id, sizeof(id), "%s", session_queue_id(session)); /* IDs are short */
    message_commit(session, &result);
    if (result.status == SUBMIT_OK) {
        session->errors = 0; /* who delivers mail may be forgiven */
        session->junk_commands = 0;
        reply_queued(session, chunked, id);
    } else {
        reply_failed(session, &result, id);
    }
    session_reset(session);
    return result.status == SUBMIT_OK;
}
