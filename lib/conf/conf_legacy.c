/* SPDX-License-Identifier: MIT */
/*
 * Defaults that compatibility_level decides.  The row says it itself, as
 * "${{$compatibility_level} <level {N} ? {old} : {new}}", so nothing is written twice.
 */
#include "conf/conf_private.h"
#include "conf/expand.h"
#include "conf/reference.h"

/* The level from which ROW has another default; false: there is none. */
static bool level_of_change(const struct param_row *row, uint64_t *level_out)
{
    static const struct view start = {"${", 2};
    STR_AUTO struct str mistake = {0};
    struct reference ref;
    struct view text = view_cstr(row->value);
    if (row->type == PARAM_RAW || !view_starts(text, start)) {
        return false;
    }
    text = view_from(text, 1);
    size_t len = reference_bracketed(text, '{', '}');
    return len > 0 && reference_parse(view_of(text.ptr + 1, len - 2), &ref, &mistake) &&
           ref.level && ref.comparison == COMPARE_LESS &&
           view_equal_cstr(ref.left, "$compatibility_level") &&
           expand_parse_level(ref.right, level_out);
}

bool conf_uses_old_default(const struct conf *conf, enum param param)
{
    const struct param_row *row = param_row(param);
    uint64_t change, present;
    return !conf_is_set(conf, row->name) && level_of_change(row, &change) &&
           expand_parse_level(view_cstr(conf_str(conf, P_compatibility_level)),
                              &present) &&
           present < change;
}
