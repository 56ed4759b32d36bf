/* SPDX-License-Identifier: MIT */
/* Values of parameters from their expanded text, with Postfix's words for mistakes. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "conf/param_table.h"

/* Convert TEXT as the type of ROW asks and check its bounds.  NAME is the name the user
 * wrote (that of ROW, or "<transport>_..."), DEFAULT_UNIT that of a time without unit.
 * False with the text for "fatal:" in MISTAKE. */
bool value_convert(const struct param_row *row, const char *name, struct view text,
                   char default_unit, int64_t *number_out, struct str *mistake);

/* The unit that a time of ROW has when it says none. */
char value_default_unit(const struct param_row *row);
/* What ROW allows, for people: "a whole number from 1 to 9", "yes or no". */
void value_allowed(const struct param_row *row, struct str *out);

#endif
