/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648, section 4). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>

#include "base/str.h"

/* Append BYTES, encoded in one line. */
void base64_encode(struct view bytes, struct str *out);
/* Append what TEXT stands for.  False, with OUT unchanged: TEXT has a foreign
 * character, the wrong length or padding, or bits that no encoder sets. */
bool base64_decode(struct view text, struct str *out);

#endif
