/* SPDX-License-Identifier: MIT */
/*
 * SMTP client service.  What this client cannot do yet (TLS, authentication) is
 * refused at start when the configuration demands it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "net/dns.h"
#include "service/service.h"
#include "smtp/smtp.h"

static unsigned families_of(const struct conf *conf)
{
    unsigned families = 0;
    struct view rest = view_cstr(conf_str(conf, P_inet_protocols));
    struct view word;
    while (conf_list_next(&rest, &word)) {
        if (view_equal_cstr(word, "all")) {
            families |= DNS_IPV4 | DNS_IPV6;
        } else if (view_equal_cstr(word, "ipv4")) {
            families |= DNS_IPV4;
        } else if (view_equal_cstr(word, "ipv6")) {
            families |= DNS_IPV6;
        } else {
            log_fatal("bad value for inet_protocols: %.*s", VIEW_ARG(word));
        }
    }
    if (families == 0) {
        log_fatal("inet_protocols is empty");
    }
    return families;
}

/* Settings that ask for what is not there: mail must not go out otherwise than its
 * administrator believes. */
static void refuse_unbuilt(const struct conf *conf)
{
    static const struct {
        enum param param;
        const char *name;
    } must_be_empty[] = {
        {P_smtp_header_checks, "smtp_header_checks"},
        {P_smtp_body_checks, "smtp_body_checks"},
        {P_smtp_mime_header_checks, "smtp_mime_header_checks"},
        {P_smtp_nested_header_checks, "smtp_nested_header_checks"},
        {P_smtp_generic_maps, "smtp_generic_maps"},
        {P_smtp_reply_filter, "smtp_reply_filter"},
        {P_smtp_fallback_relay, "smtp_fallback_relay"},
        {P_smtp_bind_address, "smtp_bind_address"},
        {P_smtp_bind_address6, "smtp_bind_address6"},
        {P_best_mx_transport, "best_mx_transport"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(must_be_empty); i++) {
        const char *value = conf_str(conf, must_be_empty[i].param);
        if (value[0] != '\0') {
            log_fatal("%s = %s: not built into this client yet", must_be_empty[i].name,
                      value);
        }
    }
    const char *level = conf_str(conf, P_smtp_tls_security_level);
    if (strcmp(level, "may") == 0) {
        log_warning(
            "smtp_tls_security_level = may: TLS is not built into this client yet, "
            "mail is sent in plain text");
    } else if (level[0] != '\0' && strcmp(level, "none") != 0) {
        log_fatal("smtp_tls_security_level = %s: TLS is not built into this client yet",
                  level);
    }
    if (conf_bool(conf, P_smtp_sasl_auth_enable)) {
        log_fatal(
            "smtp_sasl_auth_enable = yes: SASL is not built into this client yet");
    }
    if (strcmp(conf_str(conf, P_smtp_address_verify_target), "rcpt") != 0) {
        log_fatal(
            "smtp_address_verify_target: only \"rcpt\" is built into this client");
    }
}

static void smtp_ready(struct service_context *context)
{
    struct smtp *smtp = xcalloc(1, sizeof(*smtp));
    context->state = smtp;
    refuse_unbuilt(context->conf);
    smtp->conf = context->conf;
    smtp->dirs = queue_dirs_new(context->conf);
    smtp->own = own_addresses_new(context->conf);
    smtp->families = families_of(context->conf);
    smtp->cache = cache_new(context->conf);
}

static void smtp_session(struct service_context *context, struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    struct deliver_reply reply;
    while (service_await(context, client) &&
           deliver_receive_request(client, &arena, &request)) {
        delivery_run(context->state, &request, &arena, &reply);
        if (!deliver_send_reply(client, &reply)) {
            break;
        }
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static void smtp_close(struct service_context *context)
{
    struct smtp *smtp = context->state;
    cache_free(&smtp->cache);
    own_addresses_free(&smtp->own);
    queue_dirs_free(&smtp->dirs);
    free(smtp);
    context->state = NULL;
}

static const struct service smtp_service = {
    .name = "smtp",
    .kind = SERVICE_CONCURRENT,
    .ready = smtp_ready,
    .session = smtp_session,
    .close = smtp_close,
};

int main(int argc, char **argv)
{
    return service_main(&smtp_service, argc, argv);
}
