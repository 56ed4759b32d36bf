/* SPDX-License-Identifier: MIT */
/* Numbers from text: the whole view must be one number within the bounds. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

/* Decimal digits only, no sign, no space. */
bool number_parse_u64(struct view text, uint64_t max, uint64_t *out);
/* Optional leading '-'. */
bool number_parse_i64(struct view text, int64_t min, int64_t max, int64_t *out);
bool number_parse_octal(struct view text, uint64_t max, uint64_t *out);

#endif
