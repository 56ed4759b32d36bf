/* SPDX-License-Identifier: MIT */
/* The server's own keys and certificates, from smtpd_tls_chain_files or the older
 * parameters for one algorithm each. */
#ifndef TLS_SERVER_KEYS_H
#define TLS_SERVER_KEYS_H

#include "conf/conf.h"
#include "tls/chain.h"
#include "tls/report.h"

struct tls_server_keys {
    struct tls_chains chains;
    int64_t expires; /* seconds since 1970, the first of them; INT64_MAX: none does */
};

void tls_server_keys_load(struct tls_server_keys *keys, const struct conf *conf,
                          SSL_CTX *ctx, struct tls_report *report);
void tls_server_keys_done(struct tls_server_keys *keys);

/* Within tls_expiry_warning_time, or in the past? */
bool tls_server_keys_expire_soon(const struct tls_server_keys *keys,
                                 const struct conf *conf);
/* Report it.  An expired certificate is still served: most clients do not look. */
void tls_server_keys_check_expiry(const struct tls_server_keys *keys,
                                  const struct conf *conf, struct tls_report *report);

#endif
