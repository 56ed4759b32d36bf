/* SPDX-License-Identifier: MIT */
/*
 * Addresses as the kernel and the configuration give them.  An IPv4-mapped IPv6
 * address is turned into IPv4 on the way in, so that the rest of the suite, the
 * log and the access lists see one spelling of one host.
 */
#include "net/address.h"

#include <arpa/inet.h>

#include "base/check.h"
#include "base/number.h"

/* RFC 4291 2.5.5.2: the IPv4 address stands in the last 32 of 128 bits. */
enum { MAPPED_BITS = 96, MAPPED_BYTES = MAPPED_BITS / 8 };

static bool is_inet(sa_family_t family)
{
    return family == AF_INET || family == AF_INET6;
}

static void set_v4(struct net_address *out, const void *bytes, in_port_t port)
{
    *out = (struct net_address){.len = sizeof(out->sa.v4)};
    out->sa.v4.sin_family = AF_INET;
    out->sa.v4.sin_port = port;
    memcpy(&out->sa.v4.sin_addr, bytes, sizeof(out->sa.v4.sin_addr));
}

static void unmap(struct net_address *address)
{
    struct in6_addr v6 = address->sa.v6.sin6_addr;
    if (address->sa.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6)) {
        set_v4(address, v6.s6_addr + MAPPED_BYTES, address->sa.v6.sin6_port);
    }
}

/* As net_address_parse, but a mapped address stays IPv6. */
static bool parse_as_written(struct view text, struct net_address *out)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len)) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';

    struct in_addr v4;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        set_v4(out, &v4, 0);
        return true;
    }
    struct in6_addr v6;
    if (inet_pton(AF_INET6, copy, &v6) != 1) {
        return false;
    }
    *out = (struct net_address){.len = sizeof(out->sa.v6)};
    out->sa.v6.sin6_family = AF_INET6;
    out->sa.v6.sin6_addr = v6;
    return true;
}

bool net_address_parse(struct view text, uint16_t port, struct net_address *out)
{
    if (!parse_as_written(text, out)) {
        return false;
    }
    unmap(out);
    net_address_set_port(out, port);
    return true;
}

void net_address_set(struct net_address *out, const struct sockaddr *sa, socklen_t len)
{
    CHECK(is_inet(sa->sa_family));
    size_t want = sa->sa_family == AF_INET ? sizeof(out->sa.v4) : sizeof(out->sa.v6);
    CHECK(len >= want);
    *out = (struct net_address){.len = (socklen_t)want};
    memcpy(&out->sa, sa, want);
    unmap(out);
}

static bool from_kernel(int fd, int (*get)(int, struct sockaddr *, socklen_t *),
                        struct net_address *out)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof(storage);
    if (get(fd, (struct sockaddr *)&storage, &len) != 0 ||
        !is_inet(storage.ss_family)) {
        return false;
    }
    net_address_set(out, (struct sockaddr *)&storage, len);
    return true;
}

/* glibc declares the two with a transparent union that no pointer type matches. */
static int get_peer(int fd, struct sockaddr *sa, socklen_t *len)
{
    return getpeername(fd, sa, len);
}

static int get_local(int fd, struct sockaddr *sa, socklen_t *len)
{
    return getsockname(fd, sa, len);
}

bool net_address_peer(int fd, struct net_address *out)
{
    return from_kernel(fd, get_peer, out);
}

bool net_address_local(int fd, struct net_address *out)
{
    return from_kernel(fd, get_local, out);
}

/* The bytes of the address proper, in network order. */
static const uint8_t *address_bytes(const struct net_address *address, size_t *len_out)
{
    CHECK(is_inet(address->sa.any.sa_family));
    bool v6 = address->sa.any.sa_family == AF_INET6;
    *len_out = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
    return v6 ? address->sa.v6.sin6_addr.s6_addr
              : (const uint8_t *)&address->sa.v4.sin_addr;
}

void net_address_text(const struct net_address *address, char text[NET_ADDRESS_TEXT])
{
    size_t len;
    const uint8_t *bytes = address_bytes(address, &len);
    CHECK(inet_ntop(address->sa.any.sa_family, bytes, text, NET_ADDRESS_TEXT) != NULL);
}

uint16_t net_address_port(const struct net_address *address)
{
    CHECK(is_inet(address->sa.any.sa_family));
    return ntohs(net_address_is_v6(address) ? address->sa.v6.sin6_port
                                            : address->sa.v4.sin_port);
}

void net_address_set_port(struct net_address *address, uint16_t port)
{
    CHECK(is_inet(address->sa.any.sa_family));
    if (net_address_is_v6(address)) {
        address->sa.v6.sin6_port = htons(port);
    } else {
        address->sa.v4.sin_port = htons(port);
    }
}

bool net_address_is_v6(const struct net_address *address)
{
    return address->sa.any.sa_family == AF_INET6;
}

bool net_address_equal(const struct net_address *a, const struct net_address *b)
{
    if (a->sa.any.sa_family != b->sa.any.sa_family) {
        return false;
    }
    size_t len;
    const uint8_t *left = address_bytes(a, &len);
    const uint8_t *right = address_bytes(b, &len);
    return memcmp(left, right, len) == 0;
}

/* --- networks ---------------------------------------------------------- */

/* Split "[ADDRESS]/N", "[ADDRESS]", "ADDRESS/N" or "ADDRESS". */
static bool split_block(struct view text, struct view *address_out,
                        struct view *prefix_out)
{
    *prefix_out = view_of("", 0);
    struct view rest;
    if (text.len > 0 && text.ptr[0] == '[') {
        size_t close = view_index(text, ']');
        if (close == text.len) {
            return false;
        }
        *address_out = view_of(text.ptr + 1, close - 1);
        rest = view_from(text, close + 1);
        if (view_index(*address_out, ':') == address_out->len) {
            return false; /* brackets are for IPv6 */
        }
    } else {
        size_t slash = view_index(text, '/');
        *address_out = view_first(text, slash);
        rest = view_from(text, slash);
    }
    if (rest.len == 0) {
        return true;
    }
    *prefix_out = view_from(rest, 1);
    return rest.ptr[0] == '/' && prefix_out->len > 0;
}

/* Is every bit from PREFIX on zero? */
static bool host_part_is_zero(const uint8_t *bytes, size_t len, unsigned prefix)
{
    for (size_t i = prefix / 8; i < len; i++) {
        unsigned mask = i == prefix / 8 ? 0xffU >> (prefix % 8) : 0xffU;
        if ((bytes[i] & mask) != 0) {
            return false;
        }
    }
    return true;
}

bool net_block_parse(struct view text, struct net_block *out, bool *host_bits_out)
{
    bool host_bits;
    if (host_bits_out == NULL) {
        host_bits_out = &host_bits;
    }
    *host_bits_out = false;

    struct view address, prefix;
    if (!split_block(text, &address, &prefix) ||
        !parse_as_written(address, &out->address)) {
        return false;
    }
    size_t len;
    const uint8_t *bytes = address_bytes(&out->address, &len);
    uint64_t bits = len * 8;
    if (prefix.len > 0 && !number_parse_u64(prefix, len * 8, &bits)) {
        return false;
    }
    out->prefix = (unsigned)bits;
    if (!host_part_is_zero(bytes, len, out->prefix)) {
        *host_bits_out = true;
        return false;
    }
    /* [::ffff:127.0.0.0]/104 means 127.0.0.0/8: clients come unmapped. */
    if (net_address_is_v6(&out->address) && out->prefix >= MAPPED_BITS) {
        unmap(&out->address);
        if (!net_address_is_v6(&out->address)) {
            out->prefix -= MAPPED_BITS;
        }
    }
    return true;
}

bool net_block_contains(const struct net_block *block,
                        const struct net_address *address)
{
    if (block->address.sa.any.sa_family != address->sa.any.sa_family) {
        return false;
    }
    size_t len;
    const uint8_t *network = address_bytes(&block->address, &len);
    const uint8_t *bytes = address_bytes(address, &len);
    CHECK(block->prefix <= len * 8);

    unsigned whole = block->prefix / 8;
    unsigned part = block->prefix % 8;
    if (memcmp(network, bytes, whole) != 0) {
        return false;
    }
    return part == 0 || ((network[whole] ^ bytes[whole]) >> (8 - part)) == 0;
}
