/* SPDX-License-Identifier: MIT */
/*
 * inet_interfaces, inet_protocols and the first field of master.cf.  Names come
 * from the hosts file or the resolver once, at start and reload, never later.
 */
#include "master/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "base/number.h"

/* What may be listened on, and what has been found. */
struct search {
    const struct conf *conf;
    struct address_list *found;
    struct err *err;
    uint16_t port;
    bool v4, v6;
};

static enum outcome read_protocols(struct search *search)
{
    struct view rest = view_cstr(conf_str(search->conf, P_inet_protocols));
    struct view item;
    while (conf_list_next(&rest, &item)) {
        bool all = view_equal_nocase(item, VIEW("all"));
        bool v4 = view_equal_nocase(item, VIEW("ipv4"));
        bool v6 = view_equal_nocase(item, VIEW("ipv6"));
        if (!all && !v4 && !v6) {
            return err_perm(search->err, "5.3.5",
                            "parameter inet_protocols: unknown protocol name: %.*s",
                            VIEW_ARG(item));
        }
        search->v4 |= all || v4;
        search->v6 |= all || v6;
    }
    if (!search->v4 && !search->v6) {
        return err_perm(search->err, "5.3.5", "parameter inet_protocols: no protocol");
    }
    return OK;
}

socklen_t interfaces_address_size(const union socket_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->v6)
                                              : sizeof(address->v4);
}

void interfaces_describe(const union socket_address *address, struct str *out)
{
    char text[INET6_ADDRSTRLEN] = "?";
    bool v6 = address->any.sa_family == AF_INET6;
    const void *bytes =
        v6 ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr;
    (void)inet_ntop(address->any.sa_family, bytes, text, sizeof(text));
    str_printf(out, "%s port %u", text,
               ntohs(v6 ? address->v6.sin6_port : address->v4.sin_port));
}

static bool is_listed(const struct address_list *list,
                      const union socket_address *address)
{
    for (int i = 0; i < list->count; i++) {
        const union socket_address *other = &list->addresses[i];
        if (other->any.sa_family != address->any.sa_family) {
            continue;
        }
        if (address->any.sa_family == AF_INET
                ? other->v4.sin_addr.s_addr == address->v4.sin_addr.s_addr
                : memcmp(&other->v6.sin6_addr, &address->v6.sin6_addr,
                         sizeof(address->v6.sin6_addr)) == 0 &&
                      other->v6.sin6_scope_id == address->v6.sin6_scope_id) {
            return true;
        }
    }
    return false;
}

/* Add SA with the port looked for, unless its protocol is off or it is there already.
 */
static enum outcome add_address(struct search *search, const struct sockaddr *sa)
{
    union socket_address address = {0};
    if (sa->sa_family == AF_INET && search->v4) {
        memcpy(&address.v4, sa, sizeof(address.v4));
        address.v4.sin_port = htons(search->port);
    } else if (sa->sa_family == AF_INET6 && search->v6) {
        memcpy(&address.v6, sa, sizeof(address.v6));
        address.v6.sin6_port = htons(search->port);
    } else {
        return OK;
    }
    if (is_listed(search->found, &address)) {
        return OK;
    }
    if (search->found->count == MASTER_LISTENERS_MAX) {
        return err_perm(search->err, "5.3.5", "more than %d addresses to listen on",
                        MASTER_LISTENERS_MAX);
    }
    search->found->addresses[search->found->count++] = address;
    return OK;
}

static enum outcome add_wildcards(struct search *search)
{
    union socket_address v4 = {.v4 = {.sin_family = AF_INET}};
    union socket_address v6 = {.v6 = {.sin6_family = AF_INET6}};
    enum outcome outcome = add_address(search, &v4.any);
    return outcome == OK ? add_address(search, &v6.any) : outcome;
}

static enum outcome add_loopback(struct search *search)
{
    struct ifaddrs *all;
    enum outcome outcome = OK;
    if (getifaddrs(&all) != 0) {
        return err_temp(search->err, "4.3.0", "list network interfaces: %m");
    }
    for (const struct ifaddrs *i = all; i != NULL && outcome == OK; i = i->ifa_next) {
        if (i->ifa_addr != NULL && (i->ifa_flags & IFF_LOOPBACK) != 0) {
            outcome = add_address(search, i->ifa_addr);
        }
    }
    freeifaddrs(all);
    return outcome;
}

/* HOST is a name, an address, or an address in brackets. */
static enum outcome add_host(struct search *search, const char *what, struct view host)
{
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = view_of(host.ptr + 1, host.len - 2);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    enum outcome outcome = OK;
    char *name = xviewdup(host);
    int error = getaddrinfo(name, NULL, &hints, &all);
    free(name);
    if (error != 0) {
        return err_perm(search->err, "5.3.5", "%s: host not found: %.*s", what,
                        VIEW_ARG(host));
    }
    for (const struct addrinfo *i = all; i != NULL && outcome == OK; i = i->ai_next) {
        outcome = add_address(search, i->ai_addr);
    }
    freeaddrinfo(all);
    return outcome;
}

static enum outcome add_inet_interfaces(struct search *search)
{
    struct view rest = view_cstr(conf_str(search->conf, P_inet_interfaces));
    struct view item;
    enum outcome outcome = OK;
    while (outcome == OK && conf_list_next(&rest, &item)) {
        if (view_equal_nocase(item, VIEW("all"))) {
            outcome = add_wildcards(search);
        } else if (view_equal_nocase(item, VIEW("loopback-only"))) {
            outcome = add_loopback(search);
        } else {
            outcome = add_host(search, "parameter inet_interfaces", item);
        }
    }
    return outcome;
}

/* "submission=587" in known_tcp_ports, several names may share a port: "a=b=465". */
static bool find_known_port(const struct conf *conf, struct view name, uint64_t *port)
{
    struct view rest = view_cstr(conf_str(conf, P_known_tcp_ports));
    struct view item;
    while (conf_list_next(&rest, &item)) {
        size_t last = view_last_index(item, '=');
        struct view names = view_first(item, last);
        struct view word;
        while (last < item.len && view_next_word(&names, "= \t", &word)) {
            if (view_equal_nocase(word, name)) {
                return number_parse_u64(view_trim(view_from(item, last + 1)),
                                        UINT16_MAX, port);
            }
        }
    }
    return false;
}

static enum outcome find_port(struct search *search, struct view text)
{
    uint64_t port = 0;
    char *name = xviewdup(text);
    bool numeric = text.len > 0 && ascii_digit(text.ptr[0]);
    bool found = numeric ? number_parse_u64(text, UINT16_MAX, &port) && port > 0
                         : find_known_port(search->conf, text, &port);
    if (!found && !numeric) {
        const struct servent *service = getservbyname(name, "tcp");
        found = service != NULL;
        port = found ? ntohs((uint16_t)service->s_port) : 0;
    }
    search->port = (uint16_t)port;
    free(name);
    return found ? OK
                 : err_perm(search->err, "5.3.5", "unknown service: %.*s/tcp",
                            VIEW_ARG(text));
}

enum outcome interfaces_resolve(const struct conf *conf, const char *name,
                                struct address_list *out, struct err *err)
{
    struct search search = {.conf = conf, .found = out, .err = err};
    struct view text = view_cstr(name);
    size_t colon = view_last_index(text, ':');
    bool has_host = colon < text.len;
    out->count = 0;
    enum outcome outcome = read_protocols(&search);
    if (outcome == OK) {
        outcome = find_port(&search, has_host ? view_from(text, colon + 1) : text);
    }
    if (outcome == OK) {
        outcome = has_host && colon > 0
                      ? add_host(&search, "service", view_first(text, colon))
                      : add_inet_interfaces(&search);
    }
    if (outcome == OK && out->count == 0) {
        return err_perm(
            err, "5.3.5",
            "service %s: no address of inet_interfaces is of inet_protocols", name);
    }
    return outcome;
}
