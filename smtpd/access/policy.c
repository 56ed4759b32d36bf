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

/* RFC 3461, section 4: names of certificates are anybody's. */
static void put_xtext(struct str *out, const char *name, const char *value)
{
    str_printf(out, "%s=", name);
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c <= ' ' || c > '~' || c == '+') {
            str_printf(out, "+%02X", c);
        } else {
            str_add_byte(out, *value);
        }
    }
    str_add_byte(out, '\n');
}

/* What a certificate says about itself counts when somebody vouches for it; a
 * fingerprint always. */
static void put_encryption(struct str *out, const struct tls_facts *tls)
{
    const struct tls_peer *peer = tls != NULL && tls->peer.present ? &tls->peer : NULL;
    bool trusted = peer != NULL && peer->trusted;
    put_xtext(out, "ccert_subject", trusted ? peer->subject_cn : "");
    put_xtext(out, "ccert_issuer", trusted ? peer->issuer_cn : "");
    put_text(out, "ccert_fingerprint", peer != NULL ? peer->fingerprint : "");
    put_text(out, "ccert_pubkey_fingerprint",
             peer != NULL ? peer->pubkey_fingerprint : "");
    put_text(out, "encryption_protocol", tls != NULL ? tls->protocol : "");
    put_text(out, "encryption_cipher", tls != NULL ? tls->cipher : "");
    put_number(out, "encryption_keysize", tls != NULL ? tls->used_bits : 0);
}

static bool is_level(const struct conf *conf, const char *expression)
{
    STR_AUTO struct str wanted = {0};
    struct err err = {0};
    return conf_expand(conf, expression, &wanted, &err) == OK && wanted.len > 0;
}

/* What later versions have added; services of sites that have asked for no such thing
 * may insist on what they know. */
static void put_later_attributes(struct str *out, const struct session *session)
{
    const struct conf *conf = session->conf;
    if (is_level(conf, "${{$compatibility_level} >=level {3.8} ? {yes} : {}}")) {
        put_text(out, "compatibility_level", conf_str(conf, P_compatibility_level));
        put_text(out, "mail_version", conf_str(conf, P_mail_version));
    }
    if (is_level(conf, "${{$compatibility_level} >=level {3.12} ? {yes} : {}}")) {
        put_text(out, "tls_sni", session->tls != NULL ? session->tls->sni : "");
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
    put_encryption(&request, check->session->tls);
    put_text(&request, "policy_context", policy_service_context(service));
    put_later_attributes(&request, check->session);
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
