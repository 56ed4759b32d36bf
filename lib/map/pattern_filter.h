/* SPDX-License-Identifier: MIT */
/*
 * A first look at a subject that tells which of thousands of expressions cannot match
 * it, because it has none of the texts that they cannot match without (map/literal.h).
 * One pass over the subject serves all expressions.
 */
#ifndef MAP_PATTERN_FILTER_H
#define MAP_PATTERN_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"
#include "map/literal.h"

struct pattern_filter;

/* For COUNT expressions; SETS[i] is what is known about the i-th.  NULL: not worth it.
 */
struct pattern_filter *pattern_filter_new(const struct literal_set *const *sets,
                                          size_t count);
void pattern_filter_free(struct pattern_filter **filter);
/* Expression NUMBER is asked about although nothing rules it out: pattern_filter_next()
 * stops there. */
void pattern_filter_always(struct pattern_filter *filter, size_t number);
/* Look at SUBJECT; the other questions are about it. */
void pattern_filter_look(struct pattern_filter *filter, struct view subject);
/* May expression NUMBER match?  Always true where nothing is known. */
bool pattern_filter_may_match(const struct pattern_filter *filter, size_t number);
/* The first expression from NUMBER on that may match or is to be asked always; COUNT at
 * the end. */
size_t pattern_filter_next(const struct pattern_filter *filter, size_t number);

#endif
