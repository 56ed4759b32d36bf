/* SPDX-License-Identifier: MIT */
/* Members of aliases and .forward files: no byte is looked at twice or out of bounds.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "local/local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct view rest = view_of((const char *)data, size);
    const char *end = rest.ptr;
    struct member member;
    while (member_next(&arena, &rest, &member)) {
        CHECK(member.text.len > 0 && member.plain.len <= member.text.len);
        CHECK(member.text.ptr >= end);
        end = member.text.ptr + member.text.len;
        CHECK(rest.ptr >= end);
    }
    CHECK(rest.len == 0);
    arena_clear(&arena);
    return 0;
}
