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
#include "sys/file.h"

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
        }
    }
    return families;
}

static void refuse_unbuilt(const struct conf *conf)
{
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
    if (conf_str(conf, P_smtp_header_checks)[0] != '\0' ||
        conf_str(conf, P_smtp_body_checks)[0] != '\0' ||
        conf_str(conf, P_smtp_generic_maps)[0] != '\0') {
        log_fatal("smtp_header_checks, smtp_body_checks and smtp_generic_maps are not "
                  "built into this client yet");
    }
}

static void smtp_ready(struct service_context *context)
{
    struct smtp *smtp = xcalloc(1, sizeof(*smtp));
    context->state = smtp;
    refuse_unbuilt(context->conf);
    smtp->conf = context->conf;
    smtp->dirs = queue_dirs_new(context->conf);
    smtp->families = families_of(context->conf);
}

/* Whoever has no answer when all servers have been tried is deferred with the site's
 * trouble. */
static void finish_rest(struct delivery *delivery, const struct targets *targets)
{
    const bool known = delivery->reply->site_reason.len > 0;
    bool permanent = targets->count == 0 && targets->outcome == PERMFAIL;
    STR_AUTO struct str dsn = {0};
    STR_AUTO struct str reason = {0};
    if (targets->count == 0) {
        str_set_cstr(&dsn, targets->err.dsn);
        str_set_cstr(&reason, targets->err.text);
    } else {
        str_set(&dsn, known ? delivery->reply->site_dsn : VIEW("4.3.0"));
        str_set(&reason, known ? delivery->reply->site_reason
                               : VIEW("no server could take the message"));
    }
    for (size_t i = 0; i < delivery->request->recipient_count; i++) {
        if (!delivery->finished[i]) {
            outcome_final(delivery, i, "none",
                          permanent ? DELIVER_BOUNCED : DELIVER_DEFERRED, str_ptr(&dsn),
                          arena_view(delivery->arena, str_view(&reason)));
        }
    }
}

static void try_targets(struct delivery *delivery, const struct targets *targets)
{
    int limit = conf_int(delivery->smtp->conf, P_smtp_mx_address_limit);
    int sessions_left = conf_int(delivery->smtp->conf, P_smtp_mx_session_limit);
    size_t count = targets->count;
    if (limit > 0 && count > (size_t)limit) {
        count = (size_t)limit;
    }
    for (size_t i = 0; i < count && delivery->unfinished > 0; i++) {
        struct session session;
        delivery->last_target = i + 1 == count || sessions_left == 1;
        if (!session_open(&session, delivery, &targets->list[i])) {
            continue;
        }
        /* A server that talks to us: the destination is up, whatever came before. */
        delivery->reply->site = DELIVER_SITE_OK;
        transaction_run(&session);
        session_close(&session, !session.broken);
        if (sessions_left > 0 && --sessions_left == 0) {
            break;
        }
    }
}

static void deliver(struct smtp *smtp, const struct deliver_request *request,
                    struct arena *arena, struct deliver_reply *reply)
{
    struct err err;
    struct targets targets = {0};
    const size_t count = request->recipient_count;
    struct delivery delivery = {
        .smtp = smtp,
        .request = request,
        .arena = arena,
        .unfinished = count,
        .times = {.arrival = request->arrival_time,
                  .active = request->active_time,
                  .handed = clock_wall()},
        .reply = reply,
    };
    *reply = (struct deliver_reply){.count = count};
    reply->outcomes = delivery.outcomes =
        arena_alloc(arena, count * sizeof(*delivery.outcomes));
    delivery.finished = arena_alloc(arena, count * sizeof(*delivery.finished));
    FD_AUTO int fd = deliver_open_message(smtp->dirs, request, &err);
    if (fd < 0) {
        targets.outcome = TEMPFAIL;
        targets.err = err;
    } else {
        delivery.fd = fd;
        targets_find(smtp, request->nexthop, arena, &targets);
        if (targets.count == 0 && targets.outcome == TEMPFAIL) {
            outcome_site(&delivery, targets.err.dsn, "%s", targets.err.text);
        }
        try_targets(&delivery, &targets);
    }
    finish_rest(&delivery, &targets);
}

static void smtp_session(struct service_context *context, struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    stream_set_timeout(client, CLOCK_NEVER);
    while (service_await(context, client) &&
           deliver_receive_request(client, &arena, &request)) {
        struct deliver_reply reply;
        deliver(context->state, &request, &arena, &reply);
        if (!deliver_send_reply(client, &reply)) {
            break;
        }
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static const struct service smtp_service = {
    .name = "smtp",
    .kind = SERVICE_CONCURRENT,
    .ready = smtp_ready,
    .session = smtp_session,
};

int main(int argc, char **argv)
{
    return service_main(&smtp_service, argc, argv);
}
