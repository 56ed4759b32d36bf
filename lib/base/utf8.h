/* SPDX-License-Identifier: MIT */
/* UTF-8 as RFC 3629 has it: shortest form, no surrogates, up to U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

#include "base/view.h"

/* Bytes of the valid sequence that TEXT starts with, 1 to 4; 0: not valid, cut off, or
 * TEXT is empty. */
size_t utf8_sequence_length(struct view text);
bool utf8_valid(struct view text);

#endif
