/* SPDX-License-Identifier: MIT */
/*
 * The connection of a client: message after message, each from OPEN to RESULT or
 * ABORT.  A client that leaves in the middle takes its message with it.
 *
 * A message that cannot succeed any more is answered at once; what the client
 * still sends of it is read and forgotten, up to its FINISH.
 *
 * A client that says so (SUBMIT_AHEAD) gets the next queue ID together with the answer:
 * the file of that ID is made while nobody waits for it, and lies there empty and
 * locked until the client has a message, or leaves.
 */
#include "cleanup/session.h"

#include "base/log.h"
#include "sys/clock.h"

struct exchange {
    struct settings *settings;
    struct stream *client;
    struct message *message;
    struct message *next; /* opened ahead */
    const bool *stopping;
    bool answered;
};

static bool answer(struct exchange *exchange)
{
    if (exchange->answered) {
        return true;
    }
    exchange->answered = true;
    CHECK(exchange->message->result.status < SUBMIT_LOST);
    return submit_send_result(exchange->client, &exchange->message->result);
}

/* The message is safe in the queue. */
static bool answer_and_open(struct exchange *exchange)
{
    struct err err = {0};
    CHECK(!exchange->answered && message_ok(exchange->message));
    exchange->answered = true;
    if (!*exchange->stopping) {
        exchange->next = message_new(exchange->settings, 0, &err);
        if (exchange->next == NULL) {
            log_warning("%s", err.text);
        }
    }
    return submit_send_result_and_opened(
        exchange->client, &exchange->message->result, exchange->next != NULL,
        view_cstr(exchange->next != NULL ? exchange->next->id : err.text));
}

/* False: the connection is of no more use. */
static bool take_record(struct exchange *exchange, const struct submit_record *record)
{
    struct message *message = exchange->message;
    if (!message_ok(message)) {
        return true;
    }
    if (!message_record(message, record)) {
        log_warning("%s: submission out of order, message dropped", message->id);
        return false;
    }
    return message_ok(message) || answer(exchange);
}

static bool finish(struct exchange *exchange)
{
    struct message *message = exchange->message;
    if (message_ok(message)) {
        message_commit(message);
    }
    bool ahead = (message->flags & SUBMIT_AHEAD) != 0;
    return message_ok(message) && ahead ? answer_and_open(exchange) : answer(exchange);
}

/* Everything from OPENED on.  False: the connection is of no more use. */
static bool receive_message(struct exchange *exchange)
{
    struct submit_record record;
    while (submit_receive(exchange->client, &record)) {
        switch ((int)record.kind) {
        case SUBMIT_FRAME_ABORT:
            return true;
        case SUBMIT_FRAME_FINISH:
            return finish(exchange);
        default:
            if (!take_record(exchange, &record)) {
                return false;
            }
        }
    }
    return false;
}

/* The message that an OPEN begins: a new one, or the one that was opened ahead.  False:
 * the connection is of no more use. */
static bool open_message(struct exchange *exchange, unsigned flags)
{
    struct err err = {0};
    exchange->answered = false;
    exchange->message = exchange->next;
    exchange->next = NULL;
    if (exchange->message != NULL) {
        message_begin(exchange->message, flags);
        return true;
    }
    exchange->message = message_new(exchange->settings, flags, &err);
    if (exchange->message != NULL) {
        return submit_send_opened(exchange->client, true,
                                  view_cstr(exchange->message->id));
    }
    log_warning("%s", err.text);
    return submit_send_opened(exchange->client, false, view_cstr(err.text));
}

static bool serve_message(struct exchange *exchange, unsigned flags)
{
    bool usable = open_message(exchange, flags);
    if (exchange->message == NULL) {
        return usable;
    }
    usable = usable && receive_message(exchange);
    message_free(&exchange->message);
    return usable;
}

/* The next OPEN.  Who was given a queue ID may be in the middle of a message that has
 * not been flushed to us: we wait for as long as it is there.  Others connect again. */
static bool await_open(struct exchange *exchange, struct submit_record *record)
{
    const struct conf *conf = exchange->settings->conf;
    if (*exchange->stopping && exchange->next == NULL) {
        return false;
    }
    stream_set_timeout(exchange->client, exchange->next != NULL
                                             ? CLOCK_NEVER
                                             : conf_time(conf, P_max_idle));
    if (!submit_receive(exchange->client, record)) {
        return false;
    }
    stream_set_timeout(exchange->client, conf_time(conf, P_ipc_timeout));
    if (record->kind != SUBMIT_FRAME_OPEN) {
        log_warning("client submits a message without opening it");
        return false;
    }
    return true;
}

void session_serve(struct settings *settings, struct stream *client,
                   const bool *stopping)
{
    struct exchange exchange = {
        .settings = settings, .client = client, .stopping = stopping};
    struct submit_record record;
    while (await_open(&exchange, &record) &&
           serve_message(&exchange, (unsigned)record.number)) {
        stream_trim(client);
    }
    message_free(&exchange.next);
}
