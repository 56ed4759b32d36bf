/* SPDX-License-Identifier: MIT */
/* Characters that look like those of the configuration language and are not. */
#ifndef CONF_LOOK_ALIKE_H
#define CONF_LOOK_ALIKE_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

/* The first such character of LINE: its column (in characters, from 1), and "U+3000, an
 * ideographic space," or the like in WHAT.  False: none. */
bool look_alike_find(struct view line, int *column_out, struct str *what);

#endif
