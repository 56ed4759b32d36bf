/* SPDX-License-Identifier: MIT */
/*
 * From a plain stream to an encrypted one: the handshake, and the filter that the
 * stream works through afterwards.  Who reads and writes the stream need not know.
 */
#ifndef TLS_CONNECTION_H
#define TLS_CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "net/stream.h"
#include "tls/facts.h"

struct tls_handshake;

/* Chooses certificates once the client has said which NAME it wants; false: the
 * handshake must not go on (already logged).  May wait. */
typedef bool tls_choose_certificate(struct tls_handshake *handshake, const char *name);

/* One handshake, for callbacks; lives as long as tls_connection_start(). */
struct tls_handshake {
    SSL *ssl;
    const char *peer; /* for the log */
    int loglevel;     /* of smtpd_tls_loglevel */
    bool is_server;
    bool log_untrusted;             /* say why a certificate is not trusted */
    tls_choose_certificate *choose; /* NULL: the context's are for everybody */
    void *context;                  /* of CHOOSE */
    const EVP_MD *digest;           /* of fingerprints */
    bool legacy_fingerprints;
    struct arena *arena;
    struct tls_facts *facts;
    /* Private. */
    const char *wanted_name;
    bool chosen, refused;
    int verify_error; /* the first; X509_V_OK: none */
    const char *untrusted_issuer;
};

/* Prepare CTX for connections of this module: modes, callbacks. */
void tls_connection_prepare(SSL_CTX *ctx);

/* Shake hands on STREAM, whose input buffer must be empty and whose output must have
 * been flushed, with HANDSHAKE->ssl, which is taken over.  True: HANDSHAKE->facts are
 * filled and STREAM is encrypted.  False: logged, and STREAM has ended.  The stream's
 * time-out and deadline hold.  Waits. */
bool tls_connection_start(struct stream *stream, struct tls_handshake *handshake);

/* The handshake that SSL is in, for callbacks, or NULL. */
struct tls_handshake *tls_handshake_of(const SSL *ssl);

#endif
