/* SPDX-License-Identifier: MIT */
/*
 * Private keys with their certificates.  They come from separate files, from files that
 * hold "key, certificate, issuers, key, certificate ..." one after the other, or from
 * the value of a table (tls_server_sni_maps).
 */
#ifndef TLS_CHAIN_H
#define TLS_CHAIN_H

#include <openssl/ssl.h>

#include "base/err.h"
#include "base/str.h"
#include "base/view.h"

/* A key, its certificate, and those that lead from there to an authority. */
struct tls_chain {
    EVP_PKEY *key;
    char *place; /* of KEY, for messages: "index 1 in FILE"; NULL: the whole file */
    X509 *leaf;
    STACK_OF(X509) * issuers;
};

struct tls_chains {
    struct tls_chain *items;
    size_t count;
};

void tls_chains_free(struct tls_chains *chains);

/* All of these add to OUT; PERMFAIL or TEMPFAIL (a file that cannot be read) with ERR.
 */

/* LIST names files, separated by commas or white space, which are read as one.  READ
 * gets, if not NULL, every name. */
NODISCARD enum outcome tls_chains_read(struct view list, struct tls_chains *out,
                                       struct err *err);
/* The text of such files; NAME is what to call it. */
NODISCARD enum outcome tls_chains_parse(struct view text, const char *name,
                                        struct tls_chains *out, struct err *err);
/* A certificate file (leaf first) and a key file. */
NODISCARD enum outcome tls_chains_read_pair(const char *cert_file, const char *key_file,
                                            bool *key_at_fault, struct tls_chains *out,
                                            struct err *err);

/* Make them those of CTX, or of SSL alone.  False: OpenSSL refuses (its errors say
 * why). */
NODISCARD bool tls_chains_use(const struct tls_chains *chains, SSL_CTX *ctx);
NODISCARD bool tls_chains_use_once(const struct tls_chains *chains, SSL *ssl);

/* Seconds until the first of their leaves expires (negative: it has), and its name in
 * SUBJECT_OUT. */
int64_t tls_chains_lifetime(const struct tls_chains *chains, struct str *subject_out);

#endif
