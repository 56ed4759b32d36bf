/* SPDX-License-Identifier: MIT */
/* Where the facts come from. */
#ifndef TLS_FACTS_COLLECT_H
#define TLS_FACTS_COLLECT_H

#include <openssl/ssl.h>

#include "tls/facts.h"

/* Of an established session; strings live in ARENA.  DIGEST is for the fingerprints;
 * LEGACY: of the bare key. */
void tls_facts_collect(SSL *ssl, const EVP_MD *digest, bool legacy, struct arena *arena,
                       struct tls_facts *facts);
/* "/O=.../CN=..." of NAME, in ARENA. */
const char *tls_name_text(const X509_NAME *name, struct arena *arena);

#endif
