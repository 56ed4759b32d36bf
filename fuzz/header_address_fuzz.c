/* SPDX-License-Identifier: MIT */
/*
 * Address lists of headers: any text is parsed and printed, and what is printed is
 * one header whose lines but the first begin with white space.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "mail/header_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct header_addresses list;
    STR_AUTO struct str out = {0};
    header_addresses_parse(&arena, view_of((const char *)data, size), 10000, &list);
    header_addresses_print(VIEW("To"), &list, &out);
    struct view text = str_view(&out);
    CHECK(view_starts(text, VIEW("To: ")));
    for (size_t i = 0; i + 1 < text.len; i++) {
        CHECK(text.ptr[i] != '\n' || text.ptr[i + 1] == '\t');
    }
    CHECK(text.ptr[text.len - 1] != '\n');
    arena_clear(&arena);
    return 0;
}
