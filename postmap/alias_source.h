/* SPDX-License-Identifier: MIT */
/* Entries of alias files: "name: address, address ...", in the syntax of mail headers.
 */
#ifndef POSTMAP_ALIAS_SOURCE_H
#define POSTMAP_ALIAS_SOURCE_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

/* NULL, or what is wrong ("need name:value pair").  NAME_OUT is without quotes;
 * VALUE_OUT is spelled uniformly: one space between words, ", " between addresses. */
const char *alias_parse(struct view line, struct str *name_out, struct str *value_out);

#endif
