/* SPDX-License-Identifier: MIT */
/*
 * Access tables (access(5)): what is asked of them about hosts, addresses and mail
 * addresses, from the most to the least specific.
 *
 * maps_find() asks every table for the whole key; parts of a key are no business of
 * pattern tables, so they are asked for as parts of a mail address.
 */
#include "smtpd/access/rules.h"

/* One question to one table. */
struct question {
    struct check *check;
    const struct restriction *item;
    enum subject subject;
    struct str value;
    struct err err;
};

static unsigned parent_flags(const struct check *check)
{
    return route_parents_match(check->session->conf, "smtpd_access_maps")
               ? MAPS_ADDRESS_PARENTS
               : MAPS_ADDRESS_DOT_PARENTS;
}

/* NAME, then its parent domains. */
static enum map_result ask_domain(struct question *q, struct view name)
{
    CHECK(q->item->table != NULL);
    enum map_result result = maps_find(q->item->table, name, &q->value, NULL, &q->err);
    if (result != MAP_MISSING || name.len == 0) {
        return result;
    }
    char *at_name = arena_printf(&q->check->session->scratch, "@%.*s", VIEW_ARG(name));
    return maps_find_address(q->item->table, view_cstr(at_name), "",
                             MAPS_ADDRESS_BARE_DOMAIN | parent_flags(q->check),
                             &q->value, NULL, &q->err);
}

/* ADDRESS, then the networks that its first numbers stand for. */
static enum map_result ask_address(struct question *q, struct view address)
{
    CHECK(q->item->table != NULL && address.len > 0);
    char separator = view_index(address, ':') < address.len ? ':' : '.';
    enum map_result result =
        maps_find(q->item->table, address, &q->value, NULL, &q->err);
    while (result == MAP_MISSING) {
        size_t end = view_last_index(address, separator);
        if (end >= address.len) {
            break;
        }
        address = view_first(address, end);
        char *at_net =
            arena_printf(&q->check->session->scratch, "@%.*s", VIEW_ARG(address));
        result = maps_find_address(q->item->table, view_cstr(at_net), "",
                                   MAPS_ADDRESS_BARE_DOMAIN, &q->value, NULL, &q->err);
    }
    return result;
}

static enum map_result ask_mail_address(struct question *q, struct view address)
{
    CHECK(q->item->table != NULL);
    const struct conf *conf = q->check->session->conf;
    if (address.len == 0) {
        return maps_find(q->item->table,
                         view_cstr(conf_str(conf, P_smtpd_null_access_lookup_key)),
                         &q->value, NULL, &q->err);
    }
    return maps_find_address(q->item->table, address,
                             conf_str(conf, P_recipient_delimiter),
                             MAPS_ADDRESS_FULL | MAPS_ADDRESS_BARE_DOMAIN |
                                 MAPS_ADDRESS_AT_LOCALPART | parent_flags(q->check),
                             &q->value, NULL, &q->err);
}

static enum access_result conclude(struct question *q, enum map_result result,
                                   struct view key)
{
    enum access_result access = ACCESS_DUNNO;
    if (result == MAP_ERROR) {
        access = check_refuse_table(q->check, q->subject);
    } else if (result == MAP_FOUND) {
        char *table = arena_cstr(&q->check->session->scratch, q->item->argument);
        struct view text = arena_view(&q->check->session->scratch, str_view(&q->value));
        access = action_apply(q->check, table, key, text, q->subject);
    }
    str_done(&q->value);
    return access;
}

enum access_result check_table(struct check *check, const struct restriction *item,
                               enum subject subject, struct view name)
{
    struct question q = {.check = check, .item = item, .subject = subject};
    return conclude(&q, maps_find(item->table, name, &q.value, NULL, &q.err), name);
}

static enum access_result check_host(struct check *check,
                                     const struct restriction *item, const char *name)
{
    const struct client *client = &check->session->client;
    struct question q = {.check = check, .item = item, .subject = SUBJECT_CLIENT};
    enum map_result result = ask_domain(&q, view_cstr(name));
    if (result == MAP_MISSING) {
        result = ask_address(&q, view_cstr(client->address_text));
    }
    return conclude(&q, result, view_cstr(name));
}

enum access_result restrict_check_client(struct check *check,
                                         const struct restriction *item)
{
    return check_host(check, item, check->session->client.name);
}

enum access_result restrict_check_reverse_client(struct check *check,
                                                 const struct restriction *item)
{
    return check_host(check, item, check->session->client.reverse_name);
}

/* The rest of an access(5) entry does not matter here, only that there is one. */
enum access_result restrict_check_address(struct check *check,
                                          const struct restriction *item)
{
    struct question q = {.check = check, .item = item, .subject = SUBJECT_CLIENT};
    enum map_result result =
        maps_find(item->table, view_cstr(check->session->client.address_text), &q.value,
                  NULL, &q.err);
    str_done(&q.value);
    return result == MAP_FOUND ? ACCESS_PERMIT : ACCESS_DUNNO;
}

static enum access_result check_name(struct check *check,
                                     const struct restriction *item,
                                     enum subject subject, struct view name)
{
    struct question q = {.check = check, .item = item, .subject = subject};
    if (name.len == 0) {
        return ACCESS_DUNNO;
    }
    return conclude(&q, ask_domain(&q, name), name);
}

enum access_result restrict_check_helo(struct check *check,
                                       const struct restriction *item)
{
    return check_name(check, item, SUBJECT_HELO, str_view(&check->session->helo));
}

enum access_result restrict_check_etrn(struct check *check,
                                       const struct restriction *item)
{
    return check_name(check, item, SUBJECT_ETRN, check->etrn_domain);
}

enum access_result restrict_check_sender(struct check *check,
                                         const struct restriction *item)
{
    struct question q = {.check = check, .item = item, .subject = SUBJECT_SENDER};
    struct resolve_reply resolved = {.recipient = check->sender};
    if (check->sender.ptr == NULL) {
        return ACCESS_DUNNO;
    }
    if (check->sender.len > 0) { /* "joe" is asked for as joe@our.domain */
        route_resolve(check->server->route, check->sender, check->sender,
                      &check->session->scratch, &resolved);
    }
    return conclude(&q, ask_mail_address(&q, resolved.recipient), resolved.recipient);
}

enum access_result restrict_check_recipient(struct check *check,
                                            const struct restriction *item)
{
    struct question q = {.check = check, .item = item, .subject = SUBJECT_RECIPIENT};
    if (check->recipient.ptr == NULL || !check_resolve(check)) {
        return ACCESS_DUNNO;
    }
    struct view address = check->resolved.recipient;
    return conclude(&q, ask_mail_address(&q, address), address);
}
