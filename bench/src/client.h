/* SPDX-License-Identifier: MIT */
/* One blocking SMTP client connection of a load generator.  Trouble ends the program
 * with a message: a benchmark with lost connections has no result. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct client {
    int fd;
    SSL *ssl; /* NULL: plain */
};

/* How connections are made; set once by the program's options. */
struct client_options {
    int port;
    int source_addresses; /* 0: the kernel's choice; N: 127.0.1.1 and the N-1 that
                             follow, in turn, so that source ports suffice */
    SSL_CTX *tls;         /* NULL: no STARTTLS */
    bool resume;          /* offer the previous session */
};

/* Seconds, of a clock that never jumps. */
double client_now(void);
/* A context that keeps sessions for resumption. */
SSL_CTX *client_tls_context(void);
/* Connect as number NUMBER and say EHLO, with STARTTLS if wanted.  SESSION (may be
 * NULL) is offered and replaced. */
void client_open(struct client *client, const struct client_options *options,
                 int number, SSL_SESSION **session);
/* Send TEXT and read the reply, which must begin with WANT. */
void client_command(struct client *client, const char *text, const char *want);
void client_write(struct client *client, const char *text);
/* With a reset, so that no port waits for its end. */
void client_close(struct client *client);

#endif
