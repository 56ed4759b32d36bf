/* SPDX-License-Identifier: MIT */
/*
 * Restrictions about the client's certificate.  Without encryption, and without a
 * certificate, none of them has an opinion.
 */
#include "base/log.h"
#include "smtpd/access/rules.h"

static const struct tls_peer *peer_of(const struct check *check)
{
    const struct tls_facts *facts = check->session->tls;
    return facts != NULL && facts->peer.present ? &facts->peer : NULL;
}

/* Whoever asks about certificates should let clients be asked for one. */
static void warn_not_asked(const struct check *check, const struct restriction *item)
{
    const struct server *server = check->server;
    if (server->tls != NULL && !tls_server_asks(server->tls)) {
        log_warning("%s is requested, but \"smtpd_tls_ask_ccert = no\"",
                    item->verb->name);
    }
}

enum access_result restrict_permit_tls_all_clientcerts(struct check *check,
                                                       const struct restriction *item)
{
    const struct tls_peer *peer = peer_of(check);
    if (peer != NULL && peer->trusted) {
        return check_permit(check, item->verb->name, SUBJECT_CLIENT, "");
    }
    if (peer == NULL) {
        warn_not_asked(check, item);
    }
    return ACCESS_DUNNO;
}

/* Who is known by a fingerprint need not be vouched for by anybody. */
enum access_result restrict_permit_tls_clientcerts(struct check *check,
                                                   const struct restriction *item)
{
    const struct tls_peer *peer = peer_of(check);
    struct maps *known = check->server->relay_clientcerts;
    struct err err = {0};
    STR_AUTO struct str value = {0};
    if (peer == NULL) {
        warn_not_asked(check, item);
        return ACCESS_DUNNO;
    }
    enum map_result result =
        maps_find(known, view_cstr(peer->fingerprint), &value, NULL, &err);
    if (result == MAP_MISSING) {
        result =
            maps_find(known, view_cstr(peer->pubkey_fingerprint), &value, NULL, &err);
    }
    switch (result) {
    case MAP_FOUND:
        return check_permit(check, item->verb->name, SUBJECT_CLIENT, "");
    case MAP_ERROR:
        return check_refuse_table(check, SUBJECT_CLIENT);
    case MAP_MISSING:
        break;
    }
    return ACCESS_DUNNO;
}

/* --- check_ccert_access
 * ---------------------------------------------------------------- */

static bool parse_order(struct arena *arena, struct view names, const char **order_out,
                        const char **problem_out)
{
    STR_AUTO struct str order = {0};
    struct view name;
    while (conf_list_next(&names, &name)) {
        bool cert = view_equal_cstr(name, "cert_fingerprint");
        if (!cert && !view_equal_cstr(name, "pubkey_fingerprint")) {
            *problem_out =
                arena_printf(arena,
                             "check_ccert_access: unknown search type '%.*s': "
                             "allowed are cert_fingerprint and "
                             "pubkey_fingerprint",
                             VIEW_ARG(name));
            return false;
        }
        str_add_byte(&order, cert ? CCERT_BY_CERTIFICATE : CCERT_BY_KEY);
    }
    *order_out = arena_cstr(arena, str_view(&order));
    return true;
}

static struct view inner(struct view braced)
{
    if (braced.len >= 2 && braced.ptr[0] == '{' && braced.ptr[braced.len - 1] == '}') {
        return view_trim(view_of(braced.ptr + 1, braced.len - 2));
    }
    return braced;
}

static bool parse_attribute(struct arena *arena, struct view text,
                            const char **order_out, const char **problem_out)
{
    struct view attribute = inner(text);
    size_t equals = view_index(attribute, '=');
    struct view name = view_trim(view_first(attribute, equals));
    if (equals >= attribute.len || !view_equal_cstr(name, "search_order")) {
        *problem_out =
            arena_printf(arena,
                         "check_ccert_access: malformed attribute '%.*s': need "
                         "{ search_order = ... }",
                         VIEW_ARG(attribute));
        return false;
    }
    return parse_order(arena, view_from(attribute, equals + 1), order_out, problem_out);
}

bool ccert_parse_argument(struct arena *arena, struct view argument,
                          struct view *table_out, const char **order_out,
                          const char **problem_out)
{
    struct view attribute;
    static const char ORDER[] = {CCERT_BY_CERTIFICATE, CCERT_BY_KEY, '\0'};
    *order_out = ORDER;
    *table_out = argument;
    struct view rest = argument;
    if (!conf_list_next(&rest, table_out)) {
        return true; /* and has no table, which the caller says */
    }
    while (conf_list_next(&rest, &attribute)) {
        if (!parse_attribute(arena, attribute, order_out, problem_out)) {
            return false;
        }
    }
    return true;
}

enum access_result restrict_check_ccert(struct check *check,
                                        const struct restriction *item)
{
    const struct tls_peer *peer = peer_of(check);
    if (peer == NULL) {
        warn_not_asked(check, item);
        return ACCESS_DUNNO;
    }
    for (const char *by = item->order; *by != '\0'; by++) {
        enum access_result result;
        struct view key = view_cstr(
            *by == CCERT_BY_CERTIFICATE ? peer->fingerprint : peer->pubkey_fingerprint);
        if (check_table(check, item, SUBJECT_CCERT, key, &result)) {
            return result;
        }
    }
    return ACCESS_DUNNO;
}
