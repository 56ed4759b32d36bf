/* SPDX-License-Identifier: MIT */
/*
 * Questions of SQL and LDAP tables: the input is a format, a line end, and a key.  What
 * the key puts into the question must not get out of the quotes around it.
 */
#include "base/alloc.h"
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "map/query.h"

#include <stdlib.h>

/* SQL's way: a quote is doubled. */
static bool quote(void *context, struct view raw, struct str *out)
{
    size_t *quoted = context;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '\'') {
            str_add_byte(out, '\'');
        }
        str_add_byte(out, raw.ptr[i]);
    }
    (*quoted)++;
    CHECK(raw.len > 0);
    return true;
}

static size_t count_quotes(struct view text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += text.ptr[i] == '\'';
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view input = view_of((const char *)data, size);
    size_t end = view_index(input, '\n');
    char *text = xviewdup(view_first(input, end));
    struct map_key key;
    struct map_format *format = map_format_new(text);
    map_key_split(view_from(input, end + 1), &key);
    CHECK(key.whole.len >= key.user.len + key.domain.len);
    if (format != NULL) {
        size_t quoted = 0;
        STR_AUTO struct str out = {0};
        if (map_format_fill(format, &key, quote, &quoted, &out)) {
            CHECK(!map_format_is_fixed(format) || quoted == 0);
            /* Quotes come from the format, or in pairs. */
            size_t own = count_quotes(view_cstr(text));
            CHECK((count_quotes(str_view(&out)) - own) % 2 == 0);
        }
    }
    map_format_free(&format);
    free(text);
    return 0;
}
