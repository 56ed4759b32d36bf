/* SPDX-License-Identifier: MIT */
/*
 * The addresses at which this system receives mail: inet_interfaces, and behind a
 * proxy or address translator proxy_interfaces.
 */
#ifndef ROUTE_OWN_ADDRESS_H
#define ROUTE_OWN_ADDRESS_H

#include <stdbool.h>

#include "conf/conf.h"
#include "net/address.h"

struct own_addresses;
/* Ends the process with "fatal: ..." when a name of inet_interfaces has no address. May
 * ask the resolver: call it at start, not while serving. */
struct own_addresses *own_addresses_new(const struct conf *conf);
void own_addresses_free(struct own_addresses **own);
/* Is ADDRESS one of inet_interfaces? */
bool own_addresses_interface(const struct own_addresses *own,
                             const struct net_address *address);
/* Is ADDRESS one of inet_interfaces or proxy_interfaces? */
bool own_addresses_any(const struct own_addresses *own,
                       const struct net_address *address);
/* Is DOMAIN an address literal, "[1.2.3.4]" or "[IPv6:...]", for one of ours? */
bool own_addresses_literal(const struct own_addresses *own, struct view domain);

#endif
