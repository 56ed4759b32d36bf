/* SPDX-License-Identifier: MIT */
/*
 * Is the address one that can get mail here?  Better to refuse it now than to send a
 * bounce to whoever is named as the sender.  Each address class has its tables; a class
 * without tables takes everybody.
 */
#include "base/log.h"
#include "mail/address.h"
#include "rpc/deliver_agent.h"
#include "smtpd/access/rules.h"
#include "smtpd/old_defaults.h"

struct candidate {
    struct check *check;
    enum subject subject;
    struct view address; /* as given */
    const struct resolve_reply *resolved;
};

static enum access_result refuse_lookup(struct candidate *c)
{
    return check_refuse(c->check, 451, "4.3.0", "<%.*s>: Temporary lookup failure",
                        VIEW_ARG(c->address));
}

/* MAP_MISSING also when there is no table to ask. */
static enum map_result find(struct candidate *c, struct maps *maps)
{
    struct err err = {0};
    if (maps_empty(maps)) {
        return MAP_MISSING;
    }
    unsigned local =
        c->resolved->address_class == CLASS_LOCAL ? MAPS_ADDRESS_LOCALPART : 0;
    return maps_has_address(maps, c->resolved->recipient,
                            conf_str(c->check->session->conf, P_recipient_delimiter),
                            MAPS_ADDRESS_FULL | MAPS_ADDRESS_DOMAIN | local, &err);
}

/* Cleanup will make another address of it: what that is shall be seen then. */
static enum map_result is_rewritten(struct candidate *c)
{
    struct server *server = c->check->server;
    struct maps *tables[] = {server->canonical,
                             c->subject == SUBJECT_SENDER ? server->sender_canonical
                                                          : server->recipient_canonical,
                             server->virtual_alias};
    enum map_result result = MAP_MISSING;
    for (size_t i = 0; i < ARRAY_SIZE(tables) && result == MAP_MISSING; i++) {
        result = find(c, tables[i]);
    }
    return result;
}

/* A transport that delivers nothing: its next hop says why. */
static enum access_result refuse_by_transport(struct candidate *c, bool temporary)
{
    struct arena *scratch = &c->check->session->scratch;
    const struct conf *conf = c->check->session->conf;
    struct view dsn;
    struct view text;
    int code = temporary ? 450 : 550;
    if (c->resolved->address_class == CLASS_VIRTUAL_ALIAS) {
        code = conf_int(conf, P_unknown_virtual_alias_reject_code);
    }
    deliver_split_dsn(view_trim(c->resolved->nexthop), "5.1.1", &dsn, &text);
    text = view_trim(text);
    if (text.len == 0 ||
        view_equal(text, address_split(c->resolved->recipient).domain)) {
        text = VIEW("Address is undeliverable");
    }
    return check_refuse_subject(c->check, c->subject, code, arena_cstr(scratch, dsn),
                                "%.*s", VIEW_ARG(text));
}

struct user_table {
    struct maps *maps;
    enum param code;
    const char *name;
};

static struct user_table table_of(struct candidate *c)
{
    struct server *server = c->check->server;
    switch (c->resolved->address_class) {
    case CLASS_LOCAL:
        return (struct user_table){server->local_recipients,
                                   P_unknown_local_recipient_reject_code,
                                   "local recipient table"};
    case CLASS_VIRTUAL_MAILBOX:
        return (struct user_table){server->virtual_mailbox,
                                   P_unknown_virtual_mailbox_reject_code,
                                   "virtual mailbox table"};
    case CLASS_RELAY:
        old_default_relay_domain(c->check->session, "address", c->resolved->recipient);
        return (struct user_table){server->relay_recipients,
                                   P_unknown_relay_recipient_reject_code,
                                   "relay recipient table"};
    case CLASS_VIRTUAL_ALIAS: /* the transport says no */
    case CLASS_DEFAULT:
        break;
    }
    return (struct user_table){0};
}

static enum access_result refuse_unknown(struct candidate *c,
                                         const struct user_table *table)
{
    CHECK(table->name != NULL);
    const struct conf *conf = c->check->session->conf;
    bool named = conf_bool(conf, P_show_user_unknown_table_name);
    return check_refuse_subject(c->check, c->subject, conf_int(conf, table->code),
                                c->subject == SUBJECT_SENDER ? "5.1.0" : "5.1.1",
                                "User unknown%s%s", named ? " in " : "",
                                named ? table->name : "");
}

/* Names that every mail system has, whatever its tables say (RFC 5321, section 4.5.1).
 */
static bool is_system_name(const struct candidate *c)
{
    struct view user = address_split(c->resolved->recipient).local;
    const char *names[] = {"postmaster", "mailer-daemon",
                           conf_str(c->check->session->conf, P_double_bounce_sender)};
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        known = known || view_equal_nocase_cstr(user, names[i]);
    }
    return known && c->resolved->address_class == CLASS_LOCAL;
}

static enum access_result check_candidate(struct candidate *c)
{
    CHECK(c->resolved->outcome != TEMPFAIL);
    const struct conf *conf = c->check->session->conf;
    if (is_system_name(c)) {
        return ACCESS_DUNNO;
    }
    enum map_result rewritten = is_rewritten(c);
    if (rewritten != MAP_MISSING) {
        return rewritten == MAP_FOUND ? ACCESS_DUNNO : refuse_lookup(c);
    }
    struct view transport = c->resolved->transport;
    bool temporary = view_equal_cstr(transport, "retry");
    if (temporary || view_equal_cstr(transport, conf_str(conf, P_error_service_name))) {
        return refuse_by_transport(c, temporary);
    }
    struct user_table table = table_of(c);
    if (table.maps == NULL || maps_empty(table.maps)) {
        return ACCESS_DUNNO;
    }
    switch (find(c, table.maps)) {
    case MAP_FOUND:
        return ACCESS_DUNNO;
    case MAP_ERROR:
        return refuse_lookup(c);
    case MAP_MISSING:
        break;
    }
    return refuse_unknown(c, &table);
}

enum access_result unlisted_check_recipient(struct check *check)
{
    struct candidate candidate = {.check = check,
                                  .subject = SUBJECT_RECIPIENT,
                                  .address = check->recipient,
                                  .resolved = &check->resolved};
    if (check->recipient.ptr == NULL) {
        return ACCESS_DUNNO;
    }
    check->recipient_checked = true;
    return check_resolve(check) ? check_candidate(&candidate)
                                : refuse_lookup(&candidate);
}

enum access_result unlisted_check_sender(struct check *check)
{
    struct resolve_reply resolved;
    struct candidate candidate = {.check = check,
                                  .subject = SUBJECT_SENDER,
                                  .address = check->sender,
                                  .resolved = &resolved};
    if (check->sender.len == 0) {
        return ACCESS_DUNNO;
    }
    check->sender_checked = true;
    route_resolve(check->server->route, check->sender, check->sender,
                  &check->session->scratch, &resolved);
    return resolved.outcome == TEMPFAIL ? refuse_lookup(&candidate)
                                        : check_candidate(&candidate);
}

enum access_result restrict_reject_unlisted_recipient(struct check *check,
                                                      const struct restriction *item)
{
    (void)item;
    return unlisted_check_recipient(check);
}

enum access_result restrict_reject_unlisted_sender(struct check *check,
                                                   const struct restriction *item)
{
    (void)item;
    return unlisted_check_sender(check);
}
