/* SPDX-License-Identifier: MIT */
/* Cipher lists: a grade, minus what is excluded.  TLS 1.3 has its own ciphers, which
 * none of this concerns. */
#ifndef TLS_CIPHERS_H
#define TLS_CIPHERS_H

#include "base/err.h"
#include "conf/conf.h"

/* OpenSSL's list for GRADE (high, medium, low, export, null), appended to OUT, without
 * the members of the lists EXCLUDED, of which there are COUNT.  Errors are Postfix's
 * words. */
NODISCARD enum outcome tls_ciphers_list(const struct conf *conf, const char *grade,
                                        const char *const *excluded, size_t count,
                                        struct str *out, struct err *err);

#endif
