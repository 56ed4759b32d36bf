/* SPDX-License-Identifier: MIT */
/*
 * Opens what the sessions share.  A feature that is configured and not there ends the
 * process here, with its name: a mail server that ignores an instruction is worse than
 * one that does not start.
 */
#include "smtpd/server.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "smtpd/access/access.h"
#include "smtpd/auth/auth.h"
#include "smtpd/limits.h"
#include "smtpd/old_defaults.h"
#include "smtpd/tls.h"
#include "task/task.h"

/* --- what is not there ---------------------------------------------------------------
 */

static void refuse_if_set(const struct conf *conf, enum param param, const char *name)
{
    if (*conf_str(conf, param) != '\0') {
        log_fatal("parameter %s = %s: not built yet", name, conf_str(conf, param));
    }
}

#define REFUSE_IF_SET(conf, name) refuse_if_set(conf, P_##name, #name)

static void refuse_unbuilt(const struct conf *conf)
{
    REFUSE_IF_SET(conf, smtpd_proxy_filter);
    REFUSE_IF_SET(conf, smtpd_milters);
    REFUSE_IF_SET(conf, smtpd_milter_maps);
    REFUSE_IF_SET(conf, smtpd_command_filter);
    REFUSE_IF_SET(conf, smtpd_dns_reply_filter);
    REFUSE_IF_SET(conf, smtpd_reject_footer_maps);
    REFUSE_IF_SET(conf, smtpd_upstream_proxy_protocol);
    REFUSE_IF_SET(conf, smtpd_authorized_xclient_hosts);
    REFUSE_IF_SET(conf, smtpd_authorized_xforward_hosts);
    REFUSE_IF_SET(conf, content_filter);
    REFUSE_IF_SET(conf, receive_override_options);
}

/* Some of what notify_classes can ask for is about SMTP sessions. */
static void refuse_notices(const struct conf *conf)
{
    struct view rest = view_cstr(conf_str(conf, P_notify_classes));
    struct view word;
    while (conf_list_next(&rest, &word)) {
        if (view_equal_nocase_cstr(word, "policy") ||
            view_equal_nocase_cstr(word, "protocol")) {
            log_fatal("parameter notify_classes: class %.*s: not built yet",
                      VIEW_ARG(word));
        }
    }
}

/* What does no harm to mail when it is missing. */
static void warn_unbuilt(const struct conf *conf)
{
    if (*conf_str(conf, P_debug_peer_list) != '\0') {
        log_warning("parameter debug_peer_list is not built yet");
    }
}

/* --- settings ------------------------------------------------------------------------
 */

/* C escapes in smtpd_expansion_filter. */
static void read_expansion_filter(struct server *server)
{
    const char *text = conf_raw(server->conf, P_smtpd_expansion_filter);
    while (*text != '\0') {
        unsigned char c = (unsigned char)*text++;
        if (c == '\\' && *text >= '0' && *text <= '7') {
            unsigned value = 0;
            for (int i = 0; i < 3 && *text >= '0' && *text <= '7'; i++) {
                value = value * 8 + (unsigned)(*text++ - '0');
            }
            c = (unsigned char)value;
        } else if (c == '\\' && *text != '\0') {
            c = (unsigned char)*text++;
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        }
        server->expansion_allowed[c] = true;
    }
}

/*
 * 3.7.11's default is "no", which lets <LF>.<LF> end the data.  A site that does not
 * say so gets the safe reading; one that does gets what it asks for, with the
 * exemptions of smtpd_forbid_bare_newline_exclusions.
 */
static void read_bare_newline(struct server *server)
{
    const struct conf *conf = server->conf;
    const char *text = conf_str(conf, P_smtpd_forbid_bare_newline);
    struct view word = view_cstr(text);
    server->bare_newline = BARE_NEWLINE_NORMALIZE;
    if (!conf_is_set(conf, "smtpd_forbid_bare_newline")) {
        return;
    }
    if (view_equal_nocase_cstr(word, "no")) {
        server->bare_newline = BARE_NEWLINE_END;
        return;
    }
    if (!view_equal_nocase_cstr(word, "yes") &&
        !view_equal_nocase_cstr(word, "normalize")) {
        log_fatal("parameter smtpd_forbid_bare_newline = %s: not built yet", text);
    }
    server->bare_newline_exclusions = match_list_open(
        conf, "smtpd_forbid_bare_newline_exclusions",
        conf_str(conf, P_smtpd_forbid_bare_newline_exclusions), MATCH_ADDRESS);
}

static struct match_list *open_list(const struct conf *conf, const char *title,
                                    enum param param, enum match_kind kind)
{
    return match_list_open(conf, title, conf_str(conf, param), kind);
}

static struct maps *open_maps(const struct conf *conf, const char *title,
                              enum param param)
{
    return maps_open(conf, title, conf_str(conf, param), MAP_FOLD);
}

static void open_lists(struct server *server)
{
    const struct conf *conf = server->conf;
    enum match_kind flush_kind = route_parents_match(conf, "fast_flush_domains")
                                     ? MATCH_DOMAIN_PARENTS
                                     : MATCH_DOMAIN;
    server->mynetworks = open_list(conf, "mynetworks", P_mynetworks, MATCH_ADDRESS);
    server->todays_networks = old_default_todays_networks(conf);
    server->permit_log = open_list(conf, "smtpd_log_access_permit_actions",
                                   P_smtpd_log_access_permit_actions, MATCH_STRING);
    server->fast_flush_domains =
        open_list(conf, "fast_flush_domains", P_fast_flush_domains, flush_kind);
    server->noop_commands =
        open_list(conf, "smtpd_noop_commands", P_smtpd_noop_commands, MATCH_STRING);
    server->forbidden_commands = open_list(conf, "smtpd_forbidden_commands",
                                           P_smtpd_forbidden_commands, MATCH_STRING);
    server->ehlo_keyword_maps =
        open_maps(conf, "smtpd_discard_ehlo_keyword_address_maps",
                  P_smtpd_discard_ehlo_keyword_address_maps);
}

static void open_tables(struct server *server)
{
    const struct conf *conf = server->conf;
    server->canonical = open_maps(conf, "canonical_maps", P_canonical_maps);
    server->sender_canonical =
        open_maps(conf, "sender_canonical_maps", P_sender_canonical_maps);
    server->recipient_canonical =
        open_maps(conf, "recipient_canonical_maps", P_recipient_canonical_maps);
    server->virtual_alias = open_maps(conf, "virtual_alias_maps", P_virtual_alias_maps);
    server->local_recipients =
        open_maps(conf, "local_recipient_maps", P_local_recipient_maps);
    server->relay_recipients =
        open_maps(conf, "relay_recipient_maps", P_relay_recipient_maps);
    server->virtual_mailbox =
        open_maps(conf, "virtual_mailbox_maps", P_virtual_mailbox_maps);
    server->sender_logins =
        open_maps(conf, "smtpd_sender_login_maps", P_smtpd_sender_login_maps);
    server->rbl_replies = open_maps(conf, "rbl_reply_maps", P_rbl_reply_maps);
    server->relay_clientcerts =
        open_maps(conf, "relay_clientcerts", P_relay_clientcerts);
}

struct server *server_open(const struct conf *conf, bool standalone)
{
    struct server *server = xcalloc(1, sizeof(*server));
    server->conf = conf;
    server->standalone = standalone;
    refuse_unbuilt(conf);
    refuse_notices(conf);
    read_expansion_filter(server);
    read_bare_newline(server);
    open_lists(server);
    if (standalone) {
        server->submit = submit_client_new_postdrop(conf);
        return server;
    }
    warn_unbuilt(conf);
    server->route = route_open(conf);
    server->auth = auth_service_new(conf);
    server->limits = limits_new(conf);
    server->access = access_rules_new(conf);
    server->submit = submit_client_new(conf, NULL);
    submit_client_expect_more(server->submit);
    open_tables(server);
    return server;
}

void server_close(struct server **server_ptr)
{
    struct server *server = *server_ptr;
    if (server == NULL) {
        return;
    }
    struct match_list **lists[] = {&server->mynetworks,
                                   &server->permit_log,
                                   &server->todays_networks,
                                   &server->fast_flush_domains,
                                   &server->noop_commands,
                                   &server->forbidden_commands,
                                   &server->bare_newline_exclusions};
    struct maps **maps[] = {&server->ehlo_keyword_maps, &server->canonical,
                            &server->sender_canonical,  &server->recipient_canonical,
                            &server->virtual_alias,     &server->local_recipients,
                            &server->relay_recipients,  &server->virtual_mailbox,
                            &server->rbl_replies,       &server->relay_clientcerts,
                            &server->sender_logins};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        match_list_close(lists[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        maps_close(maps[i]);
    }
    access_rules_free(&server->access);
    task_watch_free(&server->tls_watch);
    tls_server_close(&server->tls);
    auth_service_free(&server->auth);
    limits_free(&server->limits);
    route_close(&server->route);
    submit_client_free(&server->submit);
    free(server);
    *server_ptr = NULL;
}

bool server_outdated(const struct server *server)
{
    CHECK(server->conf != NULL);
    const struct maps *maps[] = {
        server->ehlo_keyword_maps,   server->canonical,       server->sender_canonical,
        server->recipient_canonical, server->virtual_alias,   server->local_recipients,
        server->relay_recipients,    server->virtual_mailbox, server->rbl_replies,
        server->relay_clientcerts,   server->sender_logins};
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        if (maps[i] != NULL && maps_changed(maps[i])) {
            return true;
        }
    }
    return !server->standalone &&
           (tls_outdated(server) || route_changed(server->route) ||
            access_rules_changed(server->access));
}
