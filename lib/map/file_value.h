/* SPDX-License-Identifier: MIT */
/* Values that name files (MAP_FILE_VALUES): the answer is what the files hold. */
#ifndef MAP_FILE_VALUE_H
#define MAP_FILE_VALUE_H

#include "base/err.h"
#include "base/str.h"
#include "base/view.h"

/* Append the content of the files in NAMES, separated by commas or white space, with a
 * LF between two of them.  ERR: "open FILE: reason". */
NODISCARD enum outcome file_value_load(struct view names, struct str *out,
                                       struct err *err);

#endif
