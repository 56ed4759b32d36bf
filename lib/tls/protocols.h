/* SPDX-License-Identifier: MIT */
/* Which versions of TLS may be spoken: lists such as ">=TLSv1.2" or "!SSLv3, !TLSv1".
 */
#ifndef TLS_PROTOCOLS_H
#define TLS_PROTOCOLS_H

#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

/* In OpenSSL's terms. */
struct tls_protocols {
    int lowest, highest; /* 0: no bound */
    uint64_t excluded;   /* SSL_OP_NO_... */
};

/* PERMFAIL with what is wrong and what is allowed. */
NODISCARD enum outcome tls_protocols_parse(struct view text, struct tls_protocols *out,
                                           struct err *err);

#endif
