/* SPDX-License-Identifier: MIT */
/* Functions of the expansion language: ${name{argument}}. */
#ifndef CONF_EXPAND_FUNCTION_H
#define CONF_EXPAND_FUNCTION_H

#include "base/str.h"
#include "base/view.h"

/* Is NAME a function? */
bool expand_function_exists(struct view name);
/* Append what function NAME makes of ARGUMENT, which is expanded already.  False with a
 * message in MISTAKE. */
bool expand_function_call(struct view name, struct view argument, struct str *out,
                          struct str *mistake);

#endif
