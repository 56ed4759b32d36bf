/* SPDX-License-Identifier: MIT */
/* What a process may report to anvil. */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "rpc/anvil.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct anvil_item *items;
    size_t count;
    struct view fields = view_of((const char *)data, size);
    if (anvil_report_parse(ANVIL_FRAME_REPORT, fields, &arena, &items, &count)) {
        CHECK(count <= ANVIL_ITEMS_MAX);
        for (size_t i = 0; i < count; i++) {
            CHECK(items[i].ident.len <= size);
        }
    }
    arena_clear(&arena);
    return 0;
}
