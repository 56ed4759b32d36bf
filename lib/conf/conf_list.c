/* SPDX-License-Identifier: MIT */
/* List values: "a, b c, type:{ x, y }". */
#include "base/ascii.h"
#include "conf/conf.h"

static bool separates(char c)
{
    return c == ',' || ascii_space(c);
}

bool conf_list_next(struct view *rest, struct view *item_out)
{
    size_t start = 0;
    while (start < rest->len && separates(rest->ptr[start])) {
        start++;
    }
    size_t end = start;
    size_t depth = 0;
    for (; end < rest->len && (depth > 0 || !separates(rest->ptr[end])); end++) {
        if (rest->ptr[end] == '{') {
            depth++;
        } else if (rest->ptr[end] == '}' && depth > 0) {
            depth--;
        }
    }
    *item_out = view_of(rest->ptr + start, end - start);
    *rest = view_from(*rest, end);
    return end > start;
}
