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

/* Values name files with keys and certificates, as in smtpd_tls_chain_files.  "postmap
 * -F" puts their content into indexed tables; other tables read them now, while that is
 * allowed.  NULL when LIST is empty. */
struct tls_sni *tls_sni_open(const struct conf *conf, const char *list);
/* Report what is wrong with any entry of LIST. */
void tls_sni_inspect(struct tls_sni *sni, const char *list, struct tls_report *report);
void tls_sni_close(struct tls_sni **sni);
bool tls_sni_changed(const struct tls_sni *sni);

/* The chains for NAME, or for ".parent.domain" of it.  MAP_MISSING: the default ones.
 * They stay SNI's and are valid until the next call.  Waits for tables that do. */
enum map_result tls_sni_find(struct tls_sni *sni, const char *name,
                             const struct tls_chains **chains_out, struct err *err);

#endif
