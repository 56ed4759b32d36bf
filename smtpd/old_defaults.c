/* SPDX-License-Identifier: MIT */
#include "smtpd/old_defaults.h"

#include "base/log.h"
#include "conf/mynetworks.h"

struct match_list *old_default_todays_networks(const struct conf *conf)
{
    STR_AUTO struct str networks = {0};
    if (conf_is_set(conf, "mynetworks") ||
        !conf_uses_old_default(conf, P_mynetworks_style)) {
        return NULL;
    }
    mynetworks_compute(conf_str(conf, P_inet_interfaces),
                       conf_str(conf, P_inet_protocols), "host", &networks);
    return match_list_open(conf, "mynetworks", str_ptr(&networks), MATCH_ADDRESS);
}

void old_default_networks(const struct session *session)
{
    struct err err = {0};
    struct match_list *today = session->server->todays_networks;
    if (today == NULL || match_list_find(today, view_cstr(session->client.address_text),
                                         VIEW(""), &err) == MAP_FOUND) {
        return;
    }
    log_info("using backwards-compatible default setting "
             "mynetworks_style=subnet to permit request from client \"%s\"",
             session->client.shown);
}

void old_default_relay_domain(const struct session *session, const char *what,
                              struct view name)
{
    if (conf_uses_old_default(session->conf, P_relay_domains)) {
        log_info("using backwards-compatible default setting "
                 "relay_domains=$mydestination to accept mail for %s \"%.*s\"",
                 what, VIEW_ARG(name));
    }
}

void old_default_utf8(const struct session *session, const char *verb,
                      struct view address)
{
    if (conf_uses_old_default(session->conf, P_smtputf8_enable)) {
        log_info("using backwards-compatible default setting smtputf8_enable=no "
                 "to accept non-ASCII %s address \"%.*s\" from %s",
                 strcmp(verb, "MAIL") == 0 ? "sender" : "recipient", VIEW_ARG(address),
                 session->client.shown);
    }
}

bool old_default_relay_holds(const struct session *session)
{
    return conf_uses_old_default(session->conf, P_smtpd_relay_restrictions);
}

void old_default_relay(const struct session *session, struct view recipient)
{
    log_info("using backwards-compatible default setting "
             "\"smtpd_relay_restrictions = (empty)\" to avoid \"Relay access denied\" "
             "error for recipient \"%.*s\" from client \"%s\"",
             VIEW_ARG(recipient), session->client.shown);
}
