/* SPDX-License-Identifier: MIT */
/* tls_server_sni_maps: which keys and certificates a client sees that asks for a name.
 */
#ifndef TLS_SNI_H
#define TLS_SNI_H

#include "conf/conf.h"
#include "map/map.h"
#include "tls/chain.h"
#include "tls/report.h"

struct tls_sni;

/* Values are what "postmap -F" makes of file names (base64), or, in tables that are
 * their own source (inline:, texthash:), the names themselves: those files are read
 * now, while that is allowed.  ALL: look at every entry now, for mistakes.  NULL when
 * LIST is empty. */
struct tls_sni *tls_sni_open(const struct conf *conf, const char *list, bool all,
                             struct tls_report *report);
void tls_sni_close(struct tls_sni **sni);
bool tls_sni_changed(const struct tls_sni *sni);

/* The chains for NAME, or for ".parent.domain" of it.  MAP_MISSING: the default ones.
 * They stay SNI's and are valid until the next call.  Waits for tables that do. */
enum map_result tls_sni_find(struct tls_sni *sni, const char *name,
                             const struct tls_chains **chains_out, struct err *err);

#endif
