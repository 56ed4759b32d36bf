/* SPDX-License-Identifier: MIT */
/* What is known about a TLS session once it stands. */
#ifndef TLS_FACTS_H
#define TLS_FACTS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

/* The certificate of the other side.  Strings are "" when unknown or not fit to be
 * shown; they hold no control characters. */
struct tls_peer {
    bool present;
    bool trusted;                   /* an authority that we trust vouches for it */
    const char *subject_cn;         /* common name */
    const char *issuer_cn;          /* the issuer's, or its organization */
    const char *subject, *issuer;   /* "/O=.../CN=...", for the log */
    const char *fingerprint;        /* of the certificate, "AB:CD:..." */
    const char *pubkey_fingerprint; /* of its public key */
};

struct tls_facts {
    const char *protocol; /* "TLSv1.3" */
    const char *cipher;
    int used_bits, algorithm_bits;
    bool reused;
    bool asked;      /* the peer was asked for a certificate */
    const char *sni; /* that chose our certificate, or "" */
    /* Since TLS 1.3 the cipher's name does not tell these; "" otherwise. */
    const char *key_exchange, *server_signature, *server_digest, *client_signature,
        *client_digest;
    struct tls_peer peer;
};

/* "TLSv1.3 with cipher ... (256/256 bits) key-exchange ...", with BREAK_FIRST in front
 * of the key exchange and BREAK_SECOND in front of the client's signature. */
void tls_facts_describe(const struct tls_facts *facts, const char *break_first,
                        const char *break_second, struct str *out);

#endif
