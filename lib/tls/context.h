/* SPDX-License-Identifier: MIT */
/* What servers and clients set up alike in OpenSSL's context.  Mistakes are reported
 * under the parameter's name; who calls looks at report->failed in the end. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "conf/conf.h"
#include "tls/report.h"

/* With what all connections share; the caller frees it. */
SSL_CTX *tls_context_new(const struct conf *conf, const SSL_METHOD *method,
                         struct tls_report *report);

/* PARAMETER's value TEXT is a list of protocols. */
void tls_context_protocols(SSL_CTX *ctx, const char *parameter, const char *text,
                           struct tls_report *report);
/* Authorities of the parameters called FILE_NAME and PATH_NAME, with these values. */
struct tls_authorities {
    const char *file_name, *file;
    const char *path_name, *path;
};
void tls_context_authorities(SSL_CTX *ctx, const struct conf *conf,
                             const struct tls_authorities *authorities,
                             struct tls_report *report);

struct tls_cipher_choice {
    const char *grade_name, *grade;
    const char *exclude_name;
    const char *const *excluded; /* lists */
    size_t excluded_count;
};
/* *LIST_OUT gets what was set. */
void tls_context_ciphers(SSL_CTX *ctx, const struct conf *conf,
                         const struct tls_cipher_choice *choice, struct str *list_out,
                         struct tls_report *report);

/* The digest of the parameter called NAME, which the caller frees; NULL: reported. */
EVP_MD *tls_context_digest(const char *name, const char *value,
                           struct tls_report *report);

#endif
