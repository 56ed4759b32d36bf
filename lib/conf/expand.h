/* SPDX-License-Identifier: MIT */
/*
 * The expansion language of main.cf: $name, ${name}, $(name), ${name?text},
 * ${name:text}, ${name?{text}:{text}}, ${{text} == {text} ? {text} : {text}},
 * ${function{text}} (expand_function.h) and $$.
 * The operators are == != < <= > >=, on numbers when both sides are digits only, on
 * bytes otherwise, and with the suffix "level" on compatibility levels.
 */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/view.h"

struct expand_calls {
    /* The value of NAME, or NULL: unknown, which expands to nothing. */
    const char *(*lookup)(void *context, const char *name);
    /* A mistake in the text; called before the expansion fails.  May be NULL. */
    void (*report)(void *report_context, const char *message);
    void *context, *report_context;
    bool recurse; /* values are texts with $names themselves */
};

/* Append the expansion of TEXT to OUT.  False after a mistake (reported); OUT then
 * holds what came before it. */
bool expand_text(const struct expand_calls *calls, struct view text, struct str *out);

/* Every name that TEXT could ask for, in all branches, to ON_NAME; mistakes to REPORT
 * (may be NULL).  False after a mistake. */
bool expand_scan(struct view text, void (*on_name)(void *context, struct view name),
                 void (*report)(void *context, const char *message), void *context);

/* A compatibility level "major[.minor[.patch]]" as a number that compares like it. */
bool expand_parse_level(struct view text, uint64_t *level_out);

#endif
