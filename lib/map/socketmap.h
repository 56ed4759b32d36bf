/* SPDX-License-Identifier: MIT */
/* The replies of socketmap: servers. */
#ifndef MAP_SOCKETMAP_H
#define MAP_SOCKETMAP_H

#include "map/map.h"
#include "net/stream.h"

/* Read a netstring "LENGTH:bytes,".  False: the stream ended, is malformed (EPROTO) or
 * longer than MAX (EMSGSIZE).  The view is valid until the next read.  Waits. */
bool socketmap_read(struct stream *stream, size_t max, struct view *reply_out);
/* REPLY is the content of one; VALUE_OUT gets the data of "OK".  MAP_ERROR: ERR has the
 * kind of error and the reason. */
enum map_result socketmap_reply_parse(struct view reply, struct str *value_out,
                                      struct err *err);

#endif
