/* SPDX-License-Identifier: MIT */
/*
 * check_policy_service: what a policy service is told about a command, in the order in
 * which Postfix tells it.
 */
#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "smtpd/access/policy_service.h"
#include "smtpd/access/rules.h"
#include "task/task.h"

/* A line break in a value would begin another attribute. */
static void put(struct str *out, const char *name, struct view value)
{
    str_printf(out, "%s=", name);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        str_add_byte(out, (char)(c == '\n' || c == '\0' ? '?' : c));
    }
    str_add_byte(out, '\n');
}

static void put_text(struct str *out, const char *name, const char *value)
{
    put(out, name, value != NULL ? view_cstr(value) : VIEW(""));
}

static void put_number(struct str *out, const char *name, int64_t value)
{
    str_printf(out, "%s=%" PRId64 "\n", name, value);
}

static bool is_content(const struct check *check)
{
    return check->subject == SUBJECT_DATA || check->subject == SUBJECT_END_OF_DATA;
}

static void put_client(struct str *out, const struct session *session)
{
    const struct client *client = &session->client;
    put_text(out, "request", "smtpd_access_policy");
    put_text(out, "protocol_state", session->where);
    put_text(out, "protocol_name", session->esmtp ? "ESMTP" : "SMTP");
    put_text(out, "client_address", client->address_text);
    put_text(out, "client_name", client->name);
    put_text(out, "client_port", client->port);
    put_text(out, "reverse_client_name", client->reverse_name);
    put_text(out, "server_address", client->server_address);
    put_text(out, "server_port", client->server_port);
    put(out, "helo_name", str_view(&session->helo));
}

/* Bytes: as declared, and in the end as they came. */
static int64_t size_of(const struct check *check)
{
    const struct message *message = check->session->message;
    if (check->subject != SUBJECT_END_OF_DATA || message == NULL) {
        return check->session->declared_size;
    }
    enum { DOT_LINE = 3 };
    bool dot = message->filter.dots && message->received >= DOT_LINE;
    return message->received - (dot ? DOT_LINE : 0);
}

/* The same for all that is asked about one message, and for no other. */
static void put_instance(struct str *out, const struct check *check)
{
    const struct message *message = check->session->message;
    str_add_cstr(out, "instance=");
    if (message != NULL && (check->recipient.ptr != NULL || is_content(check))) {
        str_printf(out, "%lx.%" PRIx64 ".%" PRIx64 ".%" PRIx64, (long)getpid(),
                   message->arrival_time / CLOCK_SECOND,
                   message->arrival_time % CLOCK_SECOND, task_log_number());
    }
    str_add_byte(out, '\n');
}

static void put_transaction(struct str *out, const struct check *check)
{
    const struct session *session = check->session;
    const struct message *message = session->message;
    bool content = is_content(check) && message != NULL;
    const char *id = session_queue_id(session);
    struct view recipient = check->recipient;
    if (content && message->recipient_count == 1) {
        recipient = message->recipients[0].address;
    }
    put(out, "sender", check->sender);
    put(out, "recipient", recipient);
    put_number(out, "recipient_count", content ? (int64_t)message->recipient_count : 0);
    put_text(out, "queue_id", strcmp(id, "NOQUEUE") == 0 ? "" : id);
    put_instance(out, check);
    put_number(out, "size", size_of(check));
    put(out, "etrn_domain", check->etrn_domain);
    put_text(out, "stress", conf_lookup(session->conf, "stress"));
}

static void put_login(struct str *out, const struct session *session)
{
    const struct message *message = session->message;
    put_text(out, "sasl_method", session->auth.method);
    put_text(out, "sasl_username", session->auth.user);
    put(out, "sasl_sender", message != NULL ? message->auth_sender : VIEW(""));
}

/* There is no TLS. */
static void put_encryption(struct str *out, const struct session *session)
{
    CHECK(!session_is_encrypted(session));
    put_text(out, "ccert_subject", "");
    put_text(out, "ccert_issuer", "");
    put_text(out, "ccert_fingerprint", "");
    put_text(out, "ccert_pubkey_fingerprint", "");
    put_text(out, "encryption_protocol", "");
    put_text(out, "encryption_cipher", "");
    put_number(out, "encryption_keysize", 0);
}

/* Since Postfix 3.8; services of sites that have asked for no such thing may insist on
 * what they know. */
static void put_version(struct str *out, const struct conf *conf)
{
    STR_AUTO struct str wanted = {0};
    struct err err = {0};
    if (conf_expand(conf, "${{$compatibility_level} >=level {3.8} ? {yes} : {}}",
                    &wanted, &err) == OK &&
        wanted.len > 0) {
        put_text(out, "compatibility_level", conf_str(conf, P_compatibility_level));
        put_text(out, "mail_version", conf_str(conf, P_mail_version));
    }
}

enum access_result restrict_check_policy(struct check *check,
                                         const struct restriction *item)
{
    STR_AUTO struct str request = {0};
    STR_AUTO struct str action = {0};
    struct policy_service *service = item->service;
    struct arena *scratch = &check->session->scratch;
    put_client(&request, check->session);
    put_transaction(&request, check);
    put_login(&request, check->session);
    put_encryption(&request, check->session);
    put_text(&request, "policy_context", policy_service_context(service));
    put_version(&request, check->session->conf);
    const char *name = policy_service_name(service);
    if (!policy_service_ask(service, str_view(&request), &action)) {
        return action_apply(check, name, VIEW(""),
                            view_cstr(policy_service_default_action(service)),
                            check->subject);
    }
    if (action.len == 0) {
        log_warning("access table %s entry has empty value", name);
        return ACCESS_DUNNO;
    }
    return action_apply(check, name, VIEW(""), arena_view(scratch, str_view(&action)),
                        check->subject);
}
