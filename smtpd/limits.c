/* SPDX-License-Identifier: MIT */
/*
 * Clients in smtpd_client_event_limit_exceptions are not counted at all, and nobody is
 * when there is no limit.
 */
#include "smtpd/limits.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "map/map.h"
#include "rpc/anvil.h"
#include "smtpd/reply.h"
#include "smtpd/session.h"
#include "sys/clock.h"
#include "task/task.h"

struct limits {
    struct anvil_client *anvil; /* NULL: nothing is limited */
    struct match_list *exceptions;
    uint64_t sessions, most[ANVIL_EVENTS]; /* 0: no limit */
    const char *service;                   /* of master.cf */
    unsigned ipv4_prefix, ipv6_prefix;
};

static void read_limits(struct limits *limits, const struct conf *conf)
{
    static const enum param PARAMS[ANVIL_EVENTS] = {
        [ANVIL_CONNECTION] = P_smtpd_client_connection_rate_limit,
        [ANVIL_MESSAGE] = P_smtpd_client_message_rate_limit,
        [ANVIL_RECIPIENT] = P_smtpd_client_recipient_rate_limit,
        [ANVIL_NEW_TLS] = P_smtpd_client_new_tls_session_rate_limit,
        [ANVIL_AUTH] = P_smtpd_client_auth_rate_limit,
        [ANVIL_LOGIN_FAILURE] = P_smtpd_client_login_failure_limit};
    limits->sessions = (uint64_t)conf_int(conf, P_smtpd_client_connection_count_limit);
    for (size_t i = 0; i < ANVIL_EVENTS; i++) {
        limits->most[i] = (uint64_t)conf_int(conf, PARAMS[i]);
    }
    limits->ipv4_prefix = (unsigned)conf_int(conf, P_smtpd_client_ipv4_prefix_length);
    limits->ipv6_prefix = (unsigned)conf_int(conf, P_smtpd_client_ipv6_prefix_length);
    limits->service = conf_lookup(conf, "service_name");
    limits->service = limits->service != NULL ? limits->service : "smtpd";
}

static bool is_needed(const struct limits *limits, const struct conf *conf)
{
    bool needed = limits->sessions > 0 || conf_bool(conf, P_smtpd_sasl_auth_enable);
    for (size_t i = 0; i < ANVIL_EVENTS; i++) {
        needed = needed || limits->most[i] > 0;
    }
    return needed;
}

struct limits *limits_new(const struct conf *conf)
{
    struct limits *limits = xcalloc(1, sizeof(*limits));
    read_limits(limits, conf);
    if (is_needed(limits, conf)) {
        limits->anvil = anvil_client_new(conf);
        limits->exceptions = match_list_open(
            conf, "smtpd_client_event_limit_exceptions",
            conf_str(conf, P_smtpd_client_event_limit_exceptions), MATCH_ADDRESS);
    }
    return limits;
}

void limits_free(struct limits **limits_ptr)
{
    struct limits *limits = *limits_ptr;
    if (limits != NULL) {
        anvil_client_free(&limits->anvil);
        match_list_close(&limits->exceptions);
        free(limits);
        *limits_ptr = NULL;
    }
}

/* --- who
 * ------------------------------------------------------------------------------ */

static bool is_exempt(struct session *session)
{
    const struct client *client = &session->client;
    struct err err = {0};
    return match_list_find(session->server->limits->exceptions,
                           view_cstr(client->address_text), view_cstr(client->name),
                           &err) == MAP_FOUND;
}

/* BYTES with all but the first PREFIX bits cleared. */
static void mask(unsigned char *bytes, unsigned count, unsigned prefix)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned kept = prefix > i * 8 ? prefix - i * 8 : 0;
        if (kept < 8) {
            bytes[i] = (unsigned char)(bytes[i] & (0xff00U >> kept));
        }
    }
}

/* "smtp:192.0.2.1": clients of one network are one client. */
static const char *identify(const struct limits *limits, struct session *session)
{
    struct net_address network = session->client.address;
    char text[NET_ADDRESS_TEXT];
    bool v6 = net_address_is_v6(&network);
    unsigned prefix = v6 ? limits->ipv6_prefix : limits->ipv4_prefix;
    unsigned full = v6 ? 128 : 32;
    if (v6) {
        mask(network.sa.v6.sin6_addr.s6_addr, 16, prefix);
    } else {
        mask((unsigned char *)&network.sa.v4.sin_addr.s_addr, 4, prefix);
    }
    net_address_text(&network, text);
    if (prefix == full) {
        return arena_printf(&session->scratch, "%s:%s", limits->service, text);
    }
    return arena_printf(&session->scratch, "%s:%s/%u", limits->service, text, prefix);
}

/* --- what
 * ------------------------------------------------------------------------------ */

static void warn(struct session *session, const char *what, uint64_t value)
{
    log_warning("%s limit exceeded: %" PRIu64 " from %s for service %s", what, value,
                session->client.shown, session->server->limits->service);
}

/* EVENT has happened once more.  False: it was once too often, which is logged. */
static bool count(struct session *session, enum anvil_event event, const char *what)
{
    struct limits *limits = session->server->limits;
    if (session->peer == NULL || limits->most[event] == 0) {
        return true;
    }
    uint64_t value =
        anvil_count(limits->anvil, session->peer, event, limits->most[event]);
    if (value <= limits->most[event]) {
        return true;
    }
    warn(session, what, value);
    return false;
}

static bool check_failures(struct session *session)
{
    struct limits *limits = session->server->limits;
    uint64_t most = limits->most[ANVIL_LOGIN_FAILURE];
    if (most == 0) {
        return true;
    }
    uint64_t value =
        anvil_rate(limits->anvil, session->peer, ANVIL_LOGIN_FAILURE, most);
    if (value < most) {
        return true;
    }
    warn(session, "Login failure", value);
    return false;
}

static bool check_sessions(struct session *session)
{
    struct limits *limits = session->server->limits;
    if (limits->sessions == 0) {
        return true;
    }
    uint64_t value = anvil_sessions(limits->anvil, session->peer, limits->sessions);
    if (value <= limits->sessions) {
        return true;
    }
    warn(session, "Connection concurrency", value);
    return false;
}

void limits_enter(struct session *session)
{
    struct limits *limits = session->server->limits;
    if (limits != NULL && limits->anvil != NULL && !is_exempt(session)) {
        session->peer =
            anvil_enter(limits->anvil, view_cstr(identify(limits, session)));
    }
}

bool limits_admit(struct session *session)
{
    struct limits *limits = session->server->limits;
    if (session->peer == NULL) {
        return true;
    }
    const char *host = conf_str(session->conf, P_myhostname);
    if (!check_failures(session)) {
        reply(session, "421 4.7.0 %s Error: too many failed logins from %s", host,
              session->client.address_text);
        return false;
    }
    /* In one exchange, if anvil has to be asked. */
    uint64_t most = limits->most[ANVIL_CONNECTION];
    uint64_t rate = anvil_count(limits->anvil, session->peer, ANVIL_CONNECTION, most);
    bool good = check_sessions(session);
    if (good && most > 0 && rate > most) {
        warn(session, "Connection rate", rate);
        good = false;
    }
    if (!good) {
        reply(session, "421 4.7.0 %s Error: too many connections from %s", host,
              session->client.address_text);
    }
    return good;
}

void limits_leave(struct session *session)
{
    if (session->peer != NULL) {
        anvil_leave(session->server->limits->anvil, session->peer);
        session->peer = NULL;
    }
}

bool limits_allow_mail(struct session *session)
{
    if (count(session, ANVIL_MESSAGE, "Message delivery request rate")) {
        return true;
    }
    reply(session, "450 4.7.1 Error: too much mail from %s",
          session->client.address_text);
    return false;
}

bool limits_allow_rcpt(struct session *session)
{
    if (count(session, ANVIL_RECIPIENT, "Recipient address rate")) {
        return true;
    }
    reply(session, "450 4.7.1 Error: too many recipients from %s",
          session->client.address_text);
    return false;
}

bool limits_allow_auth(struct session *session)
{
    if (count(session, ANVIL_AUTH, "AUTH command rate")) {
        return true;
    }
    reply(session, "450 4.7.1 Error: too many AUTH commands from %s",
          session->client.address_text);
    return false;
}

/* A handshake is expensive: who has had too many gets no other. */
static bool may_begin_tls(struct session *session, const char *request)
{
    struct limits *limits = session->server->limits;
    uint64_t most = session->peer != NULL ? limits->most[ANVIL_NEW_TLS] : 0;
    if (most == 0 ||
        anvil_rate(limits->anvil, session->peer, ANVIL_NEW_TLS, most) <= most) {
        return true;
    }
    log_warning("Refusing %s request from %s for service %s", request,
                session->client.shown, limits->service);
    return false;
}

bool limits_allow_wrapped(struct session *session)
{
    return may_begin_tls(session, "TLS service");
}

bool limits_allow_starttls(struct session *session)
{
    if (may_begin_tls(session, "STARTTLS")) {
        return true;
    }
    reply(session, "454 4.7.0 Error: too many new TLS sessions from %s",
          session->client.shown);
    return false;
}

bool limits_count_tls(struct session *session)
{
    if (count(session, ANVIL_NEW_TLS, "New TLS session rate")) {
        return true;
    }
    reply(session, "421 4.7.0 %s Error: too many new TLS sessions from %s",
          conf_str(session->conf, P_myhostname), session->client.shown);
    return false;
}

/* --- failed logins
 * ---------------------------------------------------------------------- */

/* The first ones are free, as other errors are; then each costs more than the last. */
void limits_login_failed(struct session *session)
{
    enum { FACTOR_MOST = 10 };
    struct limits *limits = session->server->limits;
    if (session->peer == NULL) {
        return;
    }
    uint64_t free_ones = (uint64_t)conf_int(session->conf, P_smtpd_soft_error_limit);
    int64_t unit = conf_time(session->conf, P_smtpd_error_sleep_time);
    uint64_t failures =
        anvil_count(limits->anvil, session->peer, ANVIL_LOGIN_FAILURE, 1);
    if (failures > free_ones && unit > 0) {
        uint64_t factor = failures - free_ones;
        factor = factor < FACTOR_MOST ? factor : FACTOR_MOST;
        (void)task_sleep_until(clock_now() + unit * (int64_t)factor);
    }
}
