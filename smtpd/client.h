/* SPDX-License-Identifier: MIT */
/* Who is on the other side. */
#ifndef SMTPD_CLIENT_H
#define SMTPD_CLIENT_H

#include "base/arena.h"
#include "net/address.h"
#include "net/dns.h"
#include "net/stream.h"
#include "smtpd/server.h"

/* Strings live in the session's arena or are literals. */
struct client {
    struct net_address address;
    const char *name;         /* confirmed, or "unknown" */
    const char *reverse_name; /* not confirmed, or "unknown" */
    enum dns_status name_status, reverse_status;
    bool forged;              /* the name belongs to other addresses */
    const char *address_text; /* "127.0.0.1" */
    const char *rfc_address;  /* "127.0.0.1", "IPv6:::1" */
    const char *port;         /* "" when unknown */
    const char *shown;        /* "name[address]", as the log has it */
    const char *origin;       /* the same, without smtpd_client_port_logging */
    const char *server_address, *server_port;
    bool trusted; /* in mynetworks */
};

/* Find out; a stream that is no socket is this host itself.  May wait for DNS. */
void client_identify(struct client *client, struct server *server,
                     struct stream *stream, struct arena *arena);

#endif
