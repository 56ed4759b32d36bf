/* SPDX-License-Identifier: MIT */
/* The transport below dns.h: one question to the name servers, one message back. */
#ifndef NET_DNS_RESOLVER_H
#define NET_DNS_RESOLVER_H

#include "net/dns.h"

struct dns_request;

/* Ask for NAME; SEARCH tries the domains of resolv.conf too.  The answer comes while
 * somebody waits; several requests may be under way. */
struct dns_request *dns_request_start(const char *name, enum dns_type type,
                                      bool search);
/* Wait for the answer.  DNS_OK: *MESSAGE_OUT holds it, until dns_request_free();
 * anything but DNS_OK is the result.  Waits. */
enum dns_status dns_request_wait(struct dns_request *request, struct view *message_out);
/* May come before the answer, which is then ignored. */
void dns_request_free(struct dns_request **request);

/* The hosts file, brought up to date. */
struct hosts *dns_hosts(void);

#endif
