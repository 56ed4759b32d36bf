/* SPDX-License-Identifier: MIT */
/* Which tables proxymap serves, whatever a client asks for. */
#ifndef PROXYMAP_PROXYMAP_H
#define PROXYMAP_PROXYMAP_H

#include <stdbool.h>

#include "conf/conf.h"

struct approved;

/* Tables that LIST (proxy_read_maps, proxy_write_maps) names as "proxy:type:name". */
struct approved *approved_new(const struct conf *conf, const char *list);
/* Also those of types that block (mysql: ...) which main.cf or master.cf name without
 * "proxy:": other processes may come here with them all the same. */
void approved_add_carried(struct approved *approved);
void approved_free(struct approved **approved);
/* TABLE: "type:name". */
bool approved_has(const struct approved *approved, struct view table);

#endif
