/* SPDX-License-Identifier: MIT */
/*
 * What cleanup is told about a message: envelope attributes in the order in which
 * postcat shows them, recipients, our Received header, content.
 */
#include "smtpd/message.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"
#include "smtpd/access/access.h"
#include "smtpd/tls.h"
#include "sys/clock.h"

struct message *message_new(struct session *session, struct view sender)
{
    struct message *message = xcalloc(1, sizeof(*message));
    message->sender = arena_cstr(&message->arena, sender);
    message->arrival_time = clock_wall();
    CHECK(session->message == NULL);
    session->message = message;
    return message;
}

void message_free(struct message **message_ptr)
{
    struct message *message = *message_ptr;
    if (message == NULL) {
        return;
    }
    if (message->submit != NULL) {
        submit_abort(message->submit);
    }
    free(message->recipients);
    free(message->copies);
    str_done(&message->prepended);
    arena_clear(&message->arena);
    free(message);
    *message_ptr = NULL;
}

/* --- recipients ----------------------------------------------------------------- */

/* Room for one more in an array that doubles. */
static void *grow(void *array, size_t count, size_t size)
{
    CHECK(size > 0 && (count == 0) == (array == NULL));
    if ((count & (count - 1)) != 0) {
        return array;
    }
    return xreallocarray(array, count == 0 ? 1 : count * 2, size);
}

void message_add_recipient(struct message *message,
                           const struct queue_recipient *recipient)
{
    CHECK(recipient->address.len > 0 && !message->recipients_sent);
    struct arena *arena = &message->arena;
    message->recipients =
        grow(message->recipients, message->recipient_count, sizeof(*recipient));
    message->recipients[message->recipient_count++] = (struct queue_recipient){
        .address = arena_view(arena, recipient->address),
        .dsn_orcpt = arena_view(arena, recipient->dsn_orcpt),
        .dsn_notify = recipient->dsn_notify,
    };
}

void message_add_copy(struct message *message, struct view address)
{
    CHECK(address.len > 0);
    message->copies =
        grow(message->copies, message->copy_count, sizeof(*message->copies));
    message->copies[message->copy_count++] = arena_view(&message->arena, address);
}

const char *message_first_recipient(const struct message *message)
{
    return message->recipient_count > 0 ? message->recipients[0].address.ptr : "";
}

const char *message_only_recipient(const struct message *message)
{
    return message->recipient_count == 1 ? message_first_recipient(message) : "";
}

static void send_recipients(struct message *message)
{
    CHECK(message->submit != NULL);
    if (message->recipients_sent) {
        return;
    }
    message->recipients_sent = true;
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct queue_recipient recipient = message->recipients[i];
        if (message->redirect.len > 0) {
            recipient.original = recipient.address;
            recipient.address = message->redirect;
        }
        submit_recipient(message->submit, &recipient);
    }
    for (size_t i = 0; i < message->copy_count; i++) {
        /* The sender shall not hear of a copy. */
        struct queue_recipient copy = {.address = message->copies[i],
                                       .dsn_notify = DSN_NOTIFY_NEVER};
        submit_recipient(message->submit, &copy);
    }
}

/* --- envelope ------------------------------------------------------------------- */

/* "ID: client=name[address], sasl_method=PLAIN, sasl_username=joe" */
static void log_client(const struct session *session)
{
    const struct message *message = session->message;
    const struct session_auth *auth = &session->auth;
    STR_AUTO struct str line = {0};
    str_printf(&line, "%s: client=%s", submit_queue_id(message->submit),
               session->client.shown);
    if (auth->user != NULL) {
        str_printf(&line, ", sasl_method=%s, sasl_username=%s", auth->method,
                   auth->user);
    }
    if (message->auth_sender.len > 0) {
        str_printf(&line, ", sasl_sender=%s", message->auth_sender.ptr);
    }
    log_info("%s", str_ptr(&line));
}

bool message_open(struct session *session)
{
    struct message *message = session->message;
    struct err err = {0};
    CHECK(message != NULL);
    if (message->submit != NULL) {
        return true;
    }
    unsigned flags = 0;
    if (!session->server->standalone) {
        flags = SUBMIT_MAP |
                (access_is_local(session) ? (unsigned)SUBMIT_LOCAL_CONTEXT : 0U);
    }
    message->submit = submit_begin(session->server->submit, flags, &err);
    if (message->submit == NULL) {
        log_warning("%s: cannot submit mail: %s", session_queue_id(session), err.text);
        return false;
    }
    log_client(session);
    return true;
}

static void put(struct message *message, const char *name, const char *value)
{
    submit_attribute(message->submit, name, view_cstr(value));
}

static void put_number(struct message *message, const char *name, unsigned value)
{
    put(message, name, arena_printf(&message->arena, "%u", value));
}

/* What goes in front of the sender. */
static void put_transaction(struct session *session)
{
    struct message *message = session->message;
    submit_arrival_time(message->submit, message->arrival_time);
    put(message, "log_ident", submit_queue_id(message->submit));
    put(message, "rewrite_context", access_is_local(session) ? "local" : "remote");
    if (session->auth.user != NULL) {
        put(message, "sasl_method", session->auth.method);
        put(message, "sasl_username", session->auth.user);
    }
    if (message->auth_sender.len > 0) {
        submit_attribute(message->submit, "sasl_sender", message->auth_sender);
    }
    if (message->envid.len > 0) {
        submit_attribute(message->submit, "envelope_id", message->envid);
    }
    if (message->ret != DSN_RET_NONE) {
        put_number(message, "ret_flags", message->ret);
    }
}

/* Who sent it: once for the log of those who pass it on, once for filters and agents.
 */
static void put_client(struct session *session)
{
    struct message *message = session->message;
    const struct client *client = &session->client;
    const char *protocol = session->esmtp ? "ESMTP" : "SMTP";
    put(message, "log_client_name", client->name);
    put(message, "log_client_address", client->address_text);
    put(message, "log_client_port", client->port);
    put(message, "log_message_origin", client->origin);
    if (session->helo.len > 0) {
        put(message, "log_helo_name", str_ptr(&session->helo));
    }
    put(message, "log_protocol_name", protocol);
    put(message, "client_name", client->name);
    put(message, "reverse_client_name", client->reverse_name);
    put(message, "client_address", client->address_text);
    put(message, "client_port", client->port);
    put(message, "server_address", client->server_address);
    put(message, "server_port", client->server_port);
    if (session->helo.len > 0) {
        put(message, "helo_name", str_ptr(&session->helo));
    }
    put(message, "protocol_name", protocol);
    put_number(message, "client_address_type", client->address.sa.any.sa_family);
}

static void put_envelope(struct session *session)
{
    CHECK(session->message->sender != NULL);
    struct message *message = session->message;
    unsigned flags =
        (message->smtputf8 ? (unsigned)QUEUE_FILE_SMTPUTF8 : 0U) |
        (message->body == BODY_8BITMIME ? (unsigned)QUEUE_FILE_8BITMIME : 0U) |
        (message->body == BODY_7BIT ? (unsigned)QUEUE_FILE_7BIT : 0U);
    bool own_service = !session->server->standalone;
    if (own_service) {
        put_transaction(session);
    }
    if (flags != 0) {
        submit_set_file_flags(message->submit, flags);
    }
    submit_sender(message->submit, view_cstr(message->sender));
    if (message->body != BODY_UNKNOWN) {
        put(message, "encoding", message->body == BODY_8BITMIME ? "8bit" : "7bit");
    }
    if (own_service) {
        put_client(session);
    }
}

/* --- headers -------------------------------------------------------------------- */

/* RFC 3848. */
static const char *protocol_of(bool login, bool tls, const char *plain,
                               const char *with_tls, const char *with_login,
                               const char *with_both)
{
    if (login) {
        return tls ? with_both : with_login;
    }
    return tls ? with_tls : plain;
}

static const char *protocol_text(const struct session *session)
{
    bool login = session->auth.user != NULL;
    bool tls = session->tls != NULL;
    if (!session->esmtp) {
        return "SMTP";
    }
    if (session->message->smtputf8) {
        return protocol_of(login, tls, "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA",
                           "UTF8SMTPSA");
    }
    return protocol_of(login, tls, "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA");
}

/* RFC 5322 section 3.2.2: no name ends the comment it stands in. */
static void add_in_comment(struct str *out, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("()\\", text.ptr[i]) != NULL) {
            str_add_byte(out, '\\');
        }
        header_add_safe(out, view_of(text.ptr + i, 1));
    }
}

/* RFC 5321 section 4.4; recipients of one another's mail must not see each other, so
 * the recipient is named only when there is one. */
static void add_received(struct session *session, struct str *out)
{
    struct message *message = session->message;
    const struct client *client = &session->client;
    char date[MAIL_DATE_MAX];
    mail_date(message->arrival_time, date);
    str_add_cstr(out, "Received: from ");
    header_add_safe(out, session->helo.len > 0 ? str_view(&session->helo)
                                               : view_cstr(client->name));
    str_printf(out, " (%s [%s])\n", client->name, client->rfc_address);
    tls_add_received(session, out);
    if (session->auth.user != NULL &&
        conf_bool(session->conf, P_smtpd_sasl_authenticated_header)) {
        str_add_cstr(out, "\t(Authenticated sender: ");
        add_in_comment(out, view_cstr(session->auth.user));
        str_add_cstr(out, ")\n");
    }
    str_printf(out, "\tby %s (%s) with %s id %s", conf_str(session->conf, P_myhostname),
               conf_str(session->conf, P_mail_name), protocol_text(session),
               submit_queue_id(message->submit));
    if (message->recipient_count == 1) {
        STR_AUTO struct str recipient = {0};
        address_quote(message->recipients[0].address, &recipient);
        str_add_cstr(out, "\n\tfor <");
        header_add_safe(out, str_view(&recipient));
        str_printf(out, ">; %s\n", date);
    } else {
        str_printf(out, ";\n\t%s\n", date);
    }
}

void message_begin_content(struct session *session)
{
    struct message *message = session->message;
    STR_AUTO struct str headers = {0};
    CHECK(message->submit != NULL && !message->headed);
    message->headed = true;
    put_envelope(session);
    /* Restrictions at the end of data may still change where the message goes. */
    if (*conf_str(session->conf, P_smtpd_end_of_data_restrictions) == '\0') {
        send_recipients(message);
    }
    str_add(&headers, str_view(&message->prepended));
    add_received(session, &headers);
    submit_content(message->submit, str_view(&headers));
}

void message_content(struct message *message, struct view data)
{
    CHECK(message->headed && message->submit != NULL);
    if (!message->discard && data.len > 0 && submit_ok(message->submit)) {
        submit_content(message->submit, data);
    }
}

void message_commit(struct session *session, struct submit_result *result)
{
    CHECK(session->message != NULL && session->message->submit != NULL);
    struct message *message = session->message;
    *result = (struct submit_result){.status = SUBMIT_OK};
    if (message->discard) {
        return;
    }
    send_recipients(message);
    if (message->hold) {
        submit_hold(message->submit);
    }
    struct submit *submit = message->submit;
    message->submit = NULL; /* gone, whatever the answer is */
    submit_finish(submit, result);
}
