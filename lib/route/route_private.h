/* SPDX-License-Identifier: MIT */
/* What the files of this layer share; nobody else includes this. */
#ifndef ROUTE_ROUTE_PRIVATE_H
#define ROUTE_ROUTE_PRIVATE_H

#include "route/own_address.h"
#include "route/route.h"

struct route {
    const struct conf *conf;
    struct own_addresses *own;
    struct match_list *mydestination, *virtual_alias_domains, *virtual_mailbox_domains,
        *relay_domains;
    struct maps *transport_maps, *relocated_maps, *relayhost_maps,
        *default_transport_maps;
    struct maps
        *transport_wildcard;  /* the tables of transport_maps that may hold "*" */
    unsigned transport_flags; /* enum maps_address_flags */
    bool swap_bangpath, percent_hack, append_myorigin, append_mydomain;
    bool tell_append; /* append_mydomain is the default of an old release */
    bool dequoted_address, null_domain, numeric_domain, utf8;
    const char *myorigin, *mydomain, *myhostname, *remote_domain, *delimiters;
};

/* Would the local part have to be quoted on the wire?  Then its '!', '%' and '@' are
 * text. */
bool route_needs_quotes(struct view local);
/* route_rewrite() with the quoting rule switched off: DEQUOTED. */
void route_complete(const struct route *route, bool remote, bool dequoted,
                    struct view address, struct str *out);

/* What the tables say about RECIPIENT: "transport:nexthop" overrides in VALUE_OUT. */
enum map_result route_find_transport(struct route *route, struct view recipient,
                                     struct str *value_out, struct err *err);

#endif
