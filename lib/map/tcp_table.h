/* SPDX-License-Identifier: MIT */
/* The replies of tcp: servers. */
#ifndef MAP_TCP_TABLE_H
#define MAP_TCP_TABLE_H

#include "map/map.h"

enum { TCP_REPLY_MAX = 4096 }; /* with its line end */

/* LINE is a reply without its line end; VALUE_OUT gets the text of 200.  MAP_ERROR: ERR
 * says "malformed reply" or what the server said. */
enum map_result tcp_reply_parse(struct view line, struct str *value_out,
                                struct err *err);

#endif
