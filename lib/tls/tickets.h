/* SPDX-License-Identifier: MIT */
/* Session tickets (RFC 5077, RFC 8446): the client keeps the session, sealed for us. */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <openssl/ssl.h>

#include "conf/conf.h"
#include "tls/report.h"
#include "tls/ticket_keys.h"

struct tls_tickets;

/* Tickets of CTX are sealed with KEYS, which are taken over, and
 * tls_session_ticket_cipher. Without KEYS, or with a cipher that will not do
 * (reported), there are none. */
struct tls_tickets *tls_tickets_new(SSL_CTX *ctx, struct tls_ticket_keys *keys,
                                    int64_t lifetime, const struct conf *conf,
                                    struct tls_report *report);
void tls_tickets_free(struct tls_tickets **tickets);

#endif
