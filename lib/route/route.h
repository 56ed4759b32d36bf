/* SPDX-License-Identifier: MIT */
/*
 * Address rewriting and resolving as a library: what Postfix's trivial-rewrite
 * does, used in place by processes that may open tables (smtpd, cleanup, the
 * rewrite worker).
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/view.h"
#include "conf/conf.h"
#include "map/map.h"
#include "route/own_address.h"
#include "rpc/resolve.h"

struct route; /* open tables and lists */
struct route *route_open(const struct conf *conf);
void route_close(struct route **route);
bool route_changed(const struct route *route); /* a table was replaced */
/* inet_interfaces and proxy_interfaces, found out by route_open(). */
const struct own_addresses *route_own_addresses(const struct route *route);
/* Does parent_domain_matches_subdomains name PARAMETER ("relay_domains")? */
bool route_parents_match(const struct conf *conf, const char *parameter);

/* Complete an address in internal form: source route, user%domain, site!user
 * (swap_bangpath, allow_percent_hack),
 * @$myorigin (append_at_myorigin), .$mydomain (append_dot_mydomain), trailing dot.
 * REMOTE: the context of remote clients (remote_header_rewrite_domain). */
void route_rewrite(struct route *route, bool remote, struct view address,
                   struct str *out);

/* Class, transport and next hop of RECIPIENT (internal form) for mail from SENDER.  The
 * reply's views live in ARENA.  May wait on proxy: tables. */
void route_resolve(struct route *route, struct view sender, struct view recipient,
                   struct arena *arena, struct resolve_reply *reply_out);

/* Is DOMAIN in mydestination, or an address literal / $inet_interfaces address of ours?
 */
enum map_result route_is_local_domain(struct route *route, struct view domain,
                                      struct err *err);
enum map_result route_is_virtual_alias_domain(struct route *route, struct view domain,
                                              struct err *err);
enum map_result route_is_virtual_mailbox_domain(struct route *route, struct view domain,
                                                struct err *err);
enum map_result route_is_relay_domain(struct route *route, struct view domain,
                                      struct err *err);

#endif
