/* SPDX-License-Identifier: MIT */
/*
 * The addresses of a header such as To: or From:, found, changed in place, and
 * printed again.  Names, comments and groups around the addresses are kept; white
 * space between them is not, and the line breaks are ours.
 */
#ifndef MAIL_HEADER_ADDRESS_H
#define MAIL_HEADER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/view.h"

/* What stands between two places where a line may be broken, in reading order. */
struct header_part {
    bool is_address;
    bool space_before;   /* printed after a space, unless a line begins here */
    bool may_fold;       /* a new line may begin here: after a comma */
    struct view text;    /* as printed; for an address: as it was */
    struct view address; /* internal form; the caller may replace it */
};

struct header_addresses {
    struct header_part *parts;
    size_t count;
};

/* Parse VALUE (what follows "Name:", line breaks included).  At most LIMIT tokens are
 * looked at (header_address_token_limit); the rest is dropped.  Everything lives in
 * ARENA or in VALUE. */
void header_addresses_parse(struct arena *arena, struct view value, size_t limit,
                            struct header_addresses *out);
/* "Name: value" with lines of fewer than 70 characters where commas allow it; no line
 * end. */
void header_addresses_print(struct view name, const struct header_addresses *addresses,
                            struct str *out);
/* TEXT as a phrase before <address>: quoted when it has to be. */
void header_phrase_quote(struct view text, struct str *out);

#endif
