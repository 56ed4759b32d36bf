/* SPDX-License-Identifier: MIT */
/* One ${...} of the expansion language, taken apart; nothing is looked up here. */
#ifndef CONF_REFERENCE_H
#define CONF_REFERENCE_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

enum comparison {
    COMPARE_NONE,
    COMPARE_EQUAL,
    COMPARE_DIFFERENT,
    COMPARE_LESS,
    COMPARE_LESS_EQUAL,
    COMPARE_MORE,
    COMPARE_MORE_EQUAL
};

struct reference {
    struct view name; /* empty when it is a comparison */
    enum comparison comparison;
    bool level; /* compare compatibility levels */
    struct view left, right;
    bool function;    /* name{left} */
    bool conditional; /* has '?' or ':' */
    struct view yes, no;
};

/* BODY is what stands between the braces.  False with a message in MISTAKE (cleared
 * first); an empty name is no mistake here, the caller knows the whole text. */
bool reference_parse(struct view body, struct reference *out, struct str *mistake);

/* Length of the bracketed text at the start of TEXT, brackets included; 0: not closed.
 */
size_t reference_bracketed(struct view text, char open, char close);
/* Length of the name at the start of TEXT. */
size_t reference_name_length(struct view text);

#endif
