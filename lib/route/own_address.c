/* SPDX-License-Identifier: MIT */
/*
 * Collects our own addresses once, when a worker starts.  "all" and
 * "loopback-only" mean the addresses of the running system; anything else is a
 * name or an address.
 */
#include "route/own_address.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"

struct own_addresses {
    struct net_address *list;
    size_t count;
    size_t interfaces; /* the first ones; the rest is proxy_interfaces */
};

static bool listed(const struct net_address *list, size_t count,
                   const struct net_address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (net_address_equal(&list[i], address)) {
            return true;
        }
    }
    return false;
}

static void add(struct own_addresses *own, const struct net_address *address)
{
    if (listed(own->list, own->count, address)) {
        return;
    }
    own->list = xreallocarray(own->list, own->count + 1, sizeof(*own->list));
    own->list[own->count++] = *address;
}

static socklen_t family_length(const struct sockaddr *sa)
{
    if (sa == NULL) {
        return 0;
    }
    if (sa->sa_family == AF_INET) {
        return sizeof(struct sockaddr_in);
    }
    return sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

static void add_system(struct own_addresses *own, bool loopback_only)
{
    struct ifaddrs *first = NULL;
    if (getifaddrs(&first) != 0) {
        log_fatal("cannot list the network interfaces: %m");
    }
    for (const struct ifaddrs *i = first; i != NULL; i = i->ifa_next) {
        socklen_t len = family_length(i->ifa_addr);
        bool usable = len > 0 && (i->ifa_flags & IFF_UP) != 0 &&
                      (!loopback_only || (i->ifa_flags & IFF_LOOPBACK) != 0);
        if (usable) {
            struct net_address address;
            net_address_set(&address, i->ifa_addr, len);
            add(own, &address);
        }
    }
    freeifaddrs(first);
}

static struct view without_brackets(struct view text)
{
    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        return view_of(text.ptr + 1, text.len - 2);
    }
    return text;
}

static void add_name(struct own_addresses *own, const char *parameter, struct view name)
{
    struct net_address address;
    if (net_address_parse(without_brackets(name), 0, &address)) {
        add(own, &address);
        return;
    }
    char *host = xviewdup(name);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, NULL, &hints, &found);
    if (error != 0) {
        log_fatal("config variable %s: host not found: %s", parameter, host);
    }
    for (const struct addrinfo *i = found; i != NULL; i = i->ai_next) {
        net_address_set(&address, i->ai_addr, i->ai_addrlen);
        add(own, &address);
    }
    freeaddrinfo(found);
    free(host);
}

static void add_list(struct own_addresses *own, const char *parameter,
                     const char *value)
{
    struct view rest = view_cstr(value);
    struct view item;
    while (conf_list_next(&rest, &item)) {
        if (view_equal_nocase_cstr(item, "all")) {
            add_system(own, false);
        } else if (view_equal_nocase_cstr(item, "loopback-only")) {
            add_system(own, true);
        } else {
            add_name(own, parameter, item);
        }
    }
}

struct own_addresses *own_addresses_new(const struct conf *conf)
{
    struct own_addresses *own = xcalloc(1, sizeof(*own));
    add_list(own, "inet_interfaces", conf_str(conf, P_inet_interfaces));
    own->interfaces = own->count;
    add_list(own, "proxy_interfaces", conf_str(conf, P_proxy_interfaces));
    return own;
}

void own_addresses_free(struct own_addresses **own)
{
    if (*own != NULL) {
        free((*own)->list);
        free(*own);
        *own = NULL;
    }
}

bool own_addresses_interface(const struct own_addresses *own,
                             const struct net_address *address)
{
    return listed(own->list, own->interfaces, address);
}

bool own_addresses_any(const struct own_addresses *own,
                       const struct net_address *address)
{
    CHECK(own->interfaces <= own->count);
    return listed(own->list, own->count, address);
}

bool own_addresses_literal(const struct own_addresses *own, struct view domain)
{
    struct view inside = without_brackets(domain);
    if (inside.len == domain.len) {
        return false;
    }
    struct view tag = VIEW("IPv6:");
    if (view_starts_nocase(inside, tag)) {
        inside = view_from(inside, tag.len);
    }
    struct net_address address;
    return net_address_parse(inside, 0, &address) && own_addresses_any(own, &address);
}
