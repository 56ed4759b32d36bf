/* SPDX-License-Identifier: MIT */
/*
 * The local interfaces, cut down to those that inet_interfaces names, as networks.
 * Runs once, at start; does not know the configuration, so that it can be tested.
 */
#include "conf/mynetworks.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "conf/conf.h"

enum { ADDRESS_BYTES = 16, IPV4_BITS = 32, IPV6_BITS = 128 };

struct interface {
    int family;
    unsigned char address[ADDRESS_BYTES];
    int bits; /* of the netmask */
};

struct interfaces {
    struct interface *items;
    size_t count;
};

static int family_bits(int family)
{
    return family == AF_INET ? IPV4_BITS : IPV6_BITS;
}

static const unsigned char *address_bytes(const struct sockaddr *sa)
{
    return sa->sa_family == AF_INET
               ? (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr
               : (const void *)&((const struct sockaddr_in6 *)(const void *)sa)
                     ->sin6_addr;
}

static bool wanted_family(const struct sockaddr *sa)
{
    return sa != NULL && (sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
}

static int mask_bits(const struct sockaddr *mask, int family)
{
    if (mask == NULL || mask->sa_family != family) {
        return family_bits(family);
    }
    const unsigned char *bytes = address_bytes(mask);
    int bits = 0;
    while (bits < family_bits(family) && (bytes[bits / 8] >> (7 - bits % 8) & 1) != 0) {
        bits++;
    }
    return bits;
}

static void add(struct interfaces *list, const struct interface *item)
{
    list->items = xreallocarray(list->items, list->count + 1, sizeof(list->items[0]));
    list->items[list->count++] = *item;
}

static struct interface from_sockaddr(const struct sockaddr *sa)
{
    struct interface item = {.family = sa->sa_family};
    item.bits = family_bits(item.family);
    memcpy(item.address, address_bytes(sa), (size_t)item.bits / 8);
    return item;
}

static void read_local(struct interfaces *local)
{
    struct ifaddrs *first;
    if (getifaddrs(&first) != 0) {
        log_warning("list of network interfaces: %m");
        return;
    }
    for (struct ifaddrs *at = first; at != NULL; at = at->ifa_next) {
        if ((at->ifa_flags & IFF_UP) != 0 && wanted_family(at->ifa_addr)) {
            struct interface item = from_sockaddr(at->ifa_addr);
            item.bits = mask_bits(at->ifa_netmask, item.family);
            add(local, &item);
        }
    }
    freeifaddrs(first);
}

static bool same_address(const struct interface *a, const struct interface *b)
{
    return a->family == b->family &&
           memcmp(a->address, b->address, (size_t)family_bits(a->family) / 8) == 0;
}

static bool is_loopback(const struct interface *item)
{
    if (item->family == AF_INET) {
        return item->address[0] == 127;
    }
    struct in6_addr address;
    memcpy(&address, item->address, sizeof(address));
    return IN6_IS_ADDR_LOOPBACK(&address);
}

/* --- what inet_interfaces names --------------------------------------------------- */

static void choose_address(const struct interfaces *local, const struct interface *item,
                           const char *word, struct interfaces *chosen)
{
    for (size_t i = 0; i < local->count; i++) {
        if (same_address(&local->items[i], item)) {
            add(chosen, &local->items[i]);
            return;
        }
    }
    log_warning("parameter inet_interfaces: no local interface found for %s", word);
}

static void choose_name(const struct interfaces *local, const char *word,
                        struct interfaces *chosen)
{
    struct addrinfo *first;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(word, NULL, &hints, &first) != 0) {
        log_warning("config variable inet_interfaces: host not found: %s", word);
        return;
    }
    for (struct addrinfo *at = first; at != NULL; at = at->ai_next) {
        if (wanted_family(at->ai_addr)) {
            struct interface item = from_sockaddr(at->ai_addr);
            choose_address(local, &item, word, chosen);
        }
    }
    freeaddrinfo(first);
}

/* "192.0.2.1", "[::1]", "host.example", "all", "loopback-only". */
static void choose_word(const struct interfaces *local, struct view word,
                        struct interfaces *chosen)
{
    bool loopback = view_equal_nocase_cstr(word, "loopback-only");
    if (loopback || view_equal_nocase_cstr(word, "all")) {
        for (size_t i = 0; i < local->count; i++) {
            if (!loopback || is_loopback(&local->items[i])) {
                add(chosen, &local->items[i]);
            }
        }
        return;
    }
    if (word.len > 2 && word.ptr[0] == '[' && word.ptr[word.len - 1] == ']') {
        word = view_of(word.ptr + 1, word.len - 2);
    }
    char *name = xviewdup(word);
    choose_name(local, name, chosen);
    free(name);
}

/* --- networks --------------------------------------------------------------------- */

static int network_bits(const struct interface *item, const char *style)
{
    if (strcmp(style, "host") == 0) {
        return family_bits(item->family);
    }
    if (item->family == AF_INET6) {
        return item->bits;
    }
    if (strcmp(style, "subnet") == 0) {
        /* The loopback network is one, whatever the interface's mask says. */
        return is_loopback(item) ? 8 : item->bits;
    }
    return item->address[0] < 128 ? 8 : item->address[0] < 192 ? 16 : 24;
}

static void add_network(struct str *out, const struct interface *item, int bits)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char network[ADDRESS_BYTES];
    CHECK(bits >= 0 && bits <= family_bits(item->family));
    memcpy(network, item->address, sizeof(network));
    for (int bit = bits; bit < family_bits(item->family); bit++) {
        network[bit / 8] &= (unsigned char)~(1U << (7 - bit % 8));
    }
    CHECK(inet_ntop(item->family, network, text, sizeof(text)) != NULL);
    STR_AUTO struct str word = {0};
    str_printf(&word, item->family == AF_INET ? "%s/%d" : "[%s]/%d", text, bits);
    /* Several interfaces may share a network. */
    struct view rest = str_view(out);
    struct view seen;
    while (view_next_word(&rest, " ", &seen)) {
        if (view_equal(seen, str_view(&word))) {
            return;
        }
    }
    if (out->len > 0) {
        str_add_byte(out, ' ');
    }
    str_add(out, str_view(&word));
}

static bool allows(const char *protocols, int family)
{
    struct view rest = view_cstr(protocols);
    struct view word;
    while (conf_list_next(&rest, &word)) {
        if (view_equal_nocase_cstr(word, "all") ||
            view_equal_nocase_cstr(word, family == AF_INET ? "ipv4" : "ipv6")) {
            return true;
        }
    }
    return false;
}

void mynetworks_compute(const char *interfaces, const char *protocols,
                        const char *style, struct str *out)
{
    struct interfaces local = {0};
    struct interfaces chosen = {0};
    struct view rest = view_cstr(interfaces);
    struct view word;
    if (strcmp(style, "host") != 0 && strcmp(style, "subnet") != 0 &&
        strcmp(style, "class") != 0) {
        log_warning("unknown mynetworks mask style value \"%s\" in \"%s\"", style,
                    style);
        style = "host";
    }
    read_local(&local);
    while (conf_list_next(&rest, &word)) {
        choose_word(&local, word, &chosen);
    }
    for (size_t i = 0; i < chosen.count; i++) {
        if (allows(protocols, chosen.items[i].family)) {
            add_network(out, &chosen.items[i], network_bits(&chosen.items[i], style));
        }
    }
    free(local.items);
    free(chosen.items);
}
