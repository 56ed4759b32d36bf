/* SPDX-License-Identifier: MIT */
/* Lines of alias files: what was stored once is stored the same way again. */
#include "base/ascii.h"
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "postmap/alias_source.h"

/* Literals and comments lose or keep escapes as they do in Postfix; white space in
 * quotes becomes a blank. */
static bool is_stable(struct view value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '[' || value.ptr[i] == '(' ||
            (ascii_space(value.ptr[i]) && value.ptr[i] != ' ')) {
            return false;
        }
    }
    /* A backslash at the end of the line leaves an empty word. */
    return value.len == 0 || value.ptr[value.len - 1] != ' ';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    STR_AUTO struct str name = {0};
    STR_AUTO struct str value = {0};
    STR_AUTO struct str line = {0};
    STR_AUTO struct str again = {0};
    if (alias_parse(view_of((const char *)data, size), &name, &value) == NULL &&
        is_stable(str_view(&value))) {
        str_add_cstr(&line, "k: ");
        str_add(&line, str_view(&value));
        const char *problem = alias_parse(str_view(&line), &name, &again);
        CHECK(problem != NULL || view_equal(str_view(&value), str_view(&again)));
    }
    return 0;
}
