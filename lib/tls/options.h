/* SPDX-License-Identifier: MIT */
/* tls_ssl_options and tls_disable_workarounds: names of OpenSSL's options. */
#ifndef TLS_OPTIONS_H
#define TLS_OPTIONS_H

#include <stdint.h>

#include "base/view.h"

/* Names or 0x... in TEXT, ORed together into *OUT.  False: *BAD_OUT is none of them,
 * and is left out. */
bool tls_options_parse(struct view text, uint64_t *out, struct view *bad_out);
bool tls_workarounds_parse(struct view text, uint64_t *out, struct view *bad_out);
/* What tls_ssl_options allows, for people. */
const char *tls_options_names(void);

#endif
