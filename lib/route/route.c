/* SPDX-License-Identifier: MIT */
/*
 * Opens what routing needs, and answers which class a domain belongs to.
 */
#include "route/route.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "route/route_private.h"

/* The lists that name whole domains; only relay_domains can mean subdomains too. */
static struct match_list *open_list(const struct conf *conf, const char *title,
                                    enum param param, enum match_kind kind)
{
    return match_list_open(conf, title, conf_str(conf, param), kind);
}

static struct maps *open_maps(const struct conf *conf, const char *title,
                              enum param param, unsigned flags)
{
    return maps_open(conf, title, conf_str(conf, param), MAP_FOLD | flags);
}

bool route_parents_match(const struct conf *conf, const char *parameter)
{
    CHECK(*parameter != '\0');
    struct view rest = view_cstr(conf_str(conf, P_parent_domain_matches_subdomains));
    struct view item;
    while (conf_list_next(&rest, &item)) {
        if (view_equal_cstr(item, parameter)) {
            return true;
        }
    }
    return false;
}

/* Pattern tables see whole addresses only, never the key "*". */
static struct maps *open_wildcard_tables(const struct conf *conf)
{
    STR_AUTO struct str list = {0};
    struct view rest = view_cstr(conf_str(conf, P_transport_maps));
    struct view item;
    while (conf_list_next(&rest, &item)) {
        struct map *map = map_open(conf, item, MAP_FOLD | MAP_NO_REGSUB);
        if (!map_is_pattern(map)) {
            str_add(&list, item);
            str_add_byte(&list, ' ');
        }
        map_close(&map);
    }
    return maps_open(conf, "transport_maps", str_ptr(&list), MAP_FOLD);
}

static void read_settings(struct route *route, const struct conf *conf)
{
    route->swap_bangpath = conf_bool(conf, P_swap_bangpath);
    route->percent_hack = conf_bool(conf, P_allow_percent_hack);
    route->append_myorigin = conf_bool(conf, P_append_at_myorigin);
    route->append_mydomain = conf_bool(conf, P_append_dot_mydomain);
    route->tell_append = conf_uses_old_default(conf, P_append_dot_mydomain);
    route->dequoted_address = conf_bool(conf, P_resolve_dequoted_address);
    route->null_domain = conf_bool(conf, P_resolve_null_domain);
    route->numeric_domain = conf_bool(conf, P_resolve_numeric_domain);
    route->utf8 = conf_bool(conf, P_smtputf8_enable);
    route->myorigin = conf_str(conf, P_myorigin);
    route->mydomain = conf_str(conf, P_mydomain);
    route->myhostname = conf_str(conf, P_myhostname);
    route->remote_domain = conf_str(conf, P_remote_header_rewrite_domain);
    route->delimiters = conf_str(conf, P_recipient_delimiter);
}

struct route *route_open(const struct conf *conf)
{
    struct route *route = xcalloc(1, sizeof(*route));
    route->conf = conf;
    route->own = own_addresses_new(conf);
    read_settings(route, conf);
    route->mydestination =
        open_list(conf, "mydestination", P_mydestination, MATCH_STRING);
    route->virtual_alias_domains =
        open_list(conf, "virtual_alias_domains", P_virtual_alias_domains, MATCH_STRING);
    route->virtual_mailbox_domains = open_list(conf, "virtual_mailbox_domains",
                                               P_virtual_mailbox_domains, MATCH_STRING);
    route->relay_domains =
        open_list(conf, "relay_domains", P_relay_domains,
                  route_parents_match(conf, "relay_domains") ? MATCH_DOMAIN_PARENTS
                                                             : MATCH_DOMAIN);
    route->transport_maps =
        open_maps(conf, "transport_maps", P_transport_maps, MAP_NO_REGSUB);
    route->transport_wildcard = open_wildcard_tables(conf);
    route->transport_flags =
        MAPS_ADDRESS_FULL | MAPS_ADDRESS_BARE_DOMAIN |
        (route_parents_match(conf, "transport_maps") ? MAPS_ADDRESS_PARENTS
                                                     : MAPS_ADDRESS_DOT_PARENTS);
    route->relocated_maps = open_maps(conf, "relocated_maps", P_relocated_maps, 0);
    route->relayhost_maps = open_maps(conf, "sender_dependent_relayhost_maps",
                                      P_sender_dependent_relayhost_maps, MAP_NO_REGSUB);
    route->default_transport_maps =
        open_maps(conf, "sender_dependent_default_transport_maps",
                  P_sender_dependent_default_transport_maps, MAP_NO_REGSUB);
    return route;
}

void route_close(struct route **route_ptr)
{
    struct route *route = *route_ptr;
    if (route == NULL) {
        return;
    }
    own_addresses_free(&route->own);
    match_list_close(&route->mydestination);
    match_list_close(&route->virtual_alias_domains);
    match_list_close(&route->virtual_mailbox_domains);
    match_list_close(&route->relay_domains);
    maps_close(&route->transport_maps);
    maps_close(&route->transport_wildcard);
    maps_close(&route->relocated_maps);
    maps_close(&route->relayhost_maps);
    maps_close(&route->default_transport_maps);
    free(route);
    *route_ptr = NULL;
}

bool route_changed(const struct route *route)
{
    return match_list_changed(route->mydestination) ||
           match_list_changed(route->virtual_alias_domains) ||
           match_list_changed(route->virtual_mailbox_domains) ||
           match_list_changed(route->relay_domains) ||
           maps_changed(route->transport_maps) || maps_changed(route->relocated_maps) ||
           maps_changed(route->relayhost_maps) ||
           maps_changed(route->default_transport_maps);
}

const struct own_addresses *route_own_addresses(const struct route *route)
{
    return route->own;
}

enum map_result route_is_local_domain(struct route *route, struct view domain,
                                      struct err *err)
{
    if (domain.len > 0 && domain.ptr[0] == '[') {
        return own_addresses_literal(route->own, domain) ? MAP_FOUND : MAP_MISSING;
    }
    return match_list_find(route->mydestination, domain, view_of("", 0), err);
}

enum map_result route_is_virtual_alias_domain(struct route *route, struct view domain,
                                              struct err *err)
{
    return match_list_find(route->virtual_alias_domains, domain, view_of("", 0), err);
}

enum map_result route_is_virtual_mailbox_domain(struct route *route, struct view domain,
                                                struct err *err)
{
    return match_list_find(route->virtual_mailbox_domains, domain, view_of("", 0), err);
}

enum map_result route_is_relay_domain(struct route *route, struct view domain,
                                      struct err *err)
{
    return match_list_find(route->relay_domains, domain, view_of("", 0), err);
}
