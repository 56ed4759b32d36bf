/* SPDX-License-Identifier: MIT */
/* Writing JSON (RFC 8259): what tools print for other programs. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/str.h"

/* Append TEXT as a JSON string, quotes included.  Bytes that are no UTF-8 become
 * U+FFFD, so that the result is JSON whatever TEXT holds. */
void json_add_string(struct str *out, struct view text);

#endif
