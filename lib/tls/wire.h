/* SPDX-License-Identifier: MIT */
/* Between OpenSSL and a socket. */
#ifndef TLS_WIRE_H
#define TLS_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* Let SSL speak over the socket FD, which stays the caller's: never blocks, never
 * raises SIGPIPE.  DUMP: what passes is logged byte by byte (loglevel 3). */
void tls_wire_attach(SSL *ssl, int fd, bool dump);
/* Stop logging what passes. */
void tls_wire_quiet(SSL *ssl);

#endif
