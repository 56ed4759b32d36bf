/* SPDX-License-Identifier: MIT */
/* Which addresses an inet service listens on. */
#ifndef MASTER_INTERFACES_H
#define MASTER_INTERFACES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "service/master_protocol.h"

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct address_list {
    union socket_address addresses[MASTER_LISTENERS_MAX];
    int count;
};

/* The addresses of a master.cf name: "port", "host:port", "[address]:port"; without a
 * host those of inet_interfaces.  Only protocols of inet_protocols. */
NODISCARD enum outcome interfaces_resolve(const struct conf *conf, const char *name,
                                          struct address_list *out, struct err *err);
socklen_t interfaces_address_size(const union socket_address *address);
/* "0.0.0.0 port 25" */
void interfaces_describe(const union socket_address *address, struct str *out);

#endif
