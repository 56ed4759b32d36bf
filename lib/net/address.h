/* SPDX-License-Identifier: MIT */
/* IPv4/IPv6 socket addresses and networks. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/view.h"

struct net_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa;
    socklen_t len;
};

enum { NET_ADDRESS_TEXT = 64 };

/* "127.0.0.1", "::1", without brackets, no names.  IPv4-mapped IPv6 becomes IPv4. */
bool net_address_parse(struct view text, uint16_t port, struct net_address *out);
/* From the kernel; IPv4-mapped IPv6 becomes IPv4. */
void net_address_set(struct net_address *out, const struct sockaddr *sa, socklen_t len);
bool net_address_peer(int fd, struct net_address *out);  /* getpeername */
bool net_address_local(int fd, struct net_address *out); /* getsockname */
/* Numeric text without port or brackets. */
void net_address_text(const struct net_address *address, char text[NET_ADDRESS_TEXT]);
uint16_t net_address_port(const struct net_address *address);
void net_address_set_port(struct net_address *address, uint16_t port);
bool net_address_is_v6(const struct net_address *address);
bool net_address_equal(const struct net_address *a,
                       const struct net_address *b); /* no port */

/* "10.0.0.0/8", "[::1]/128", "[2001:db8::]/32", or a bare address.  False: malformed,
 * or bits set in the host part (*HOST_BITS_OUT, may be NULL, tells which). */
struct net_block {
    struct net_address address;
    unsigned prefix;
};
bool net_block_parse(struct view text, struct net_block *out, bool *host_bits_out);
bool net_block_contains(const struct net_block *block,
                        const struct net_address *address);

#endif
