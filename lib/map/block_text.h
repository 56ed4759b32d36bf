/* SPDX-License-Identifier: MIT */
/* Networks as cidr: tables and match lists write them, with Postfix's error texts. */
#ifndef MAP_BLOCK_TEXT_H
#define MAP_BLOCK_TEXT_H

#include "base/str.h"
#include "base/view.h"
#include "net/address.h"

/* False: REASON says why, such as `bad mask length in "10.0.0.0/33"`. */
bool block_text_parse(struct view text, struct net_block *out, struct str *reason);

#endif
