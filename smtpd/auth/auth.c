/* SPDX-License-Identifier: MIT */
/* Who may log in, and what EHLO says about it. */
#include "smtpd/auth/auth.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "smtpd/auth/dovecot.h"
#include "smtpd/auth/login.h"

static unsigned read_security(const struct conf *conf, enum param param)
{
    struct view bad;
    unsigned set;
    const char *text = conf_str(conf, param);
    if (!auth_security_parse(view_cstr(text), &set, &bad)) {
        log_warning("unknown SASL security options value \"%.*s\" in \"%s\"",
                    VIEW_ARG(bad), text);
        log_fatal("SASL per-connection initialization failed");
    }
    return set;
}

static struct dovecot *open_type(const struct conf *conf)
{
    struct view type = view_cstr(conf_str(conf, P_smtpd_sasl_type));
    if (view_equal_nocase_cstr(type, "dovecot")) {
        struct err err;
        struct dovecot *dovecot = dovecot_new(conf, &err);
        if (dovecot == NULL) {
            log_warning("smtpd_sasl_path: %s", err.text);
            log_fatal("SASL per-process initialization failed");
        }
        return dovecot;
    }
    if (!view_equal_nocase_cstr(type, "cyrus")) {
        log_warning("unsupported SASL server implementation: %.*s", VIEW_ARG(type));
        log_fatal("SASL per-process initialization failed");
    }
    return NULL;
}

struct auth_service *auth_service_new(const struct conf *conf)
{
    if (!conf_bool(conf, P_smtpd_sasl_auth_enable)) {
        return NULL;
    }
    struct auth_service *service = xcalloc(1, sizeof(*service));
    service->conf = conf;
    service->plain.security = read_security(conf, P_smtpd_sasl_security_options);
    service->encrypted.security =
        read_security(conf, P_smtpd_sasl_tls_security_options);
    service->exceptions = match_list_open(
        conf, "smtpd_sasl_exceptions_networks",
        conf_str(conf, P_smtpd_sasl_exceptions_networks), MATCH_ADDRESS);
    service->filter =
        match_list_open(conf, "smtpd_sasl_mechanism_filter",
                        conf_str(conf, P_smtpd_sasl_mechanism_filter), MATCH_STRING);
    service->dovecot = open_type(conf);
    return service;
}

void auth_service_free(struct auth_service **service_ptr)
{
    struct auth_service *service = *service_ptr;
    if (service == NULL) {
        return;
    }
    match_list_close(&service->exceptions);
    match_list_close(&service->filter);
    mechanisms_done(&service->plain);
    mechanisms_done(&service->encrypted);
    dovecot_free(&service->dovecot);
    free(service);
    *service_ptr = NULL;
}

bool auth_is_enabled(struct session *session)
{
    struct auth_service *service = session->server->auth;
    struct session_auth *auth = &session->auth;
    if (service != NULL && auth->allowed == 0) {
        const struct client *client = &session->client;
        struct err err = {0};
        enum map_result found =
            match_list_find(service->exceptions, view_cstr(client->address_text),
                            view_cstr(client->name), &err);
        auth->allowed = found == MAP_MISSING ? 1 : -1;
    }
    return auth->allowed > 0;
}

bool auth_is_offered(struct session *session)
{
    return auth_is_enabled(session) &&
           (session_is_encrypted(session) ||
            !conf_bool(session->conf, P_smtpd_tls_auth_only));
}

const char *auth_offer(struct session *session)
{
    return auth_is_offered(session) ? str_ptr(&mechanisms_of(session)->offered) : "";
}

void auth_forget(struct session *session)
{
    session->auth.method = session->auth.user = NULL;
}
