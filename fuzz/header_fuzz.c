/* SPDX-License-Identifier: MIT */
/* The header scanner: what it cuts off, and what it leaves, is the message. */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view rest = header_skip_mailbox_lines(view_of((const char *)data, size));
    struct header header;
    const char *at = rest.ptr;
    while (header_next(&rest, &header)) {
        CHECK(header.text.ptr == at && header.text.len > 0 && header.name.len > 0);
        at += header.text.len;
        CHECK(header.value.ptr > header.name.ptr &&
              header.value.ptr + header.value.len <= at);
        STR_AUTO struct str line = {0};
        header_unfold(header.value, &line);
        CHECK(view_index(str_view(&line), '\n') == line.len);
    }
    CHECK(rest.ptr == at && rest.ptr + rest.len == (const char *)data + size);
    return 0;
}
