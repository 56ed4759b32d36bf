/* SPDX-License-Identifier: MIT */
/*
 * The connection of a client: message after message, each from OPEN to RESULT or
 * ABORT.  A client that leaves in the middle takes its message with it.
 *
 * A message that cannot succeed any more is answered at once; what the client
 * still sends of it is read and forgotten, up to its FINISH.
 */
#include "cleanup/session.h"

#include "base/log.h"

struct exchange {
    struct stream *client;
    struct message *message;
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

/* Everything from OPENED on.  False: the connection is of no more use. */
static bool receive_message(struct exchange *exchange)
{
    struct submit_record record;
    while (submit_receive(exchange->client, &record)) {
        switch ((int)record.kind) {
        case SUBMIT_FRAME_ABORT:
            return true;
        case SUBMIT_FRAME_FINISH:
            if (message_ok(exchange->message)) {
                message_commit(exchange->message);
            }
            return answer(exchange);
        default:
            if (!take_record(exchange, &record)) {
                return false;
            }
        }
    }
    return false;
}

static bool serve_message(struct settings *settings, struct stream *client,
                          uint64_t flags)
{
    struct err err = {0};
    struct message *message = message_new(settings, (unsigned)flags, &err);
    if (message == NULL) {
        log_warning("%s", err.text);
        return submit_send_opened(client, false, view_cstr(err.text));
    }
    struct exchange exchange = {.client = client, .message = message};
    bool usable = submit_send_opened(client, true, view_cstr(message->id)) &&
                  receive_message(&exchange);
    message_free(&message);
    return usable;
}

void session_serve(struct settings *settings, struct stream *client,
                   const bool *stopping)
{
    struct submit_record record;
    int64_t busy_time = conf_time(settings->conf, P_ipc_timeout);
    int64_t idle_time = conf_time(settings->conf, P_max_idle);
    while (!*stopping) {
        stream_set_timeout(client, idle_time);
        if (!submit_receive(client, &record)) {
            return;
        }
        stream_set_timeout(client, busy_time);
        if (record.kind != SUBMIT_FRAME_OPEN) {
            log_warning("client submits a message without opening it");
            return;
        }
        if (!serve_message(settings, client, record.number)) {
            return;
        }
        stream_trim(client);
    }
}
