/* SPDX-License-Identifier: MIT */
/* Mail addresses: paths, lists, quoting and taking apart. */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "mail/address.h"

/* What is written in external form must be read as the same address. */
static void check_round_trip(struct view internal)
{
    STR_AUTO struct str external = {0};
    STR_AUTO struct str back = {0};
    for (size_t i = 0; i < internal.len; i++) {
        if (internal.ptr[i] == '\r' || internal.ptr[i] == '\n') {
            return; /* lines are unfolded by the reader */
        }
    }
    struct address_parts parts = address_split(internal);
    if (parts.has_domain && !address_valid_hostname(parts.domain)) {
        return;
    }
    address_quote(internal, &external);
    CHECK(address_unquote(str_view(&external), &back));
    CHECK(view_equal(str_view(&back), internal));
}

static void check_list(struct view text)
{
    struct arena arena = {0};
    struct address_token *tokens;
    size_t count = address_list_parse(&arena, text, &tokens);
    for (size_t i = 0; i < count; i++) {
        CHECK(tokens[i].is_address || tokens[i].text.len > 0);
    }
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_of((const char *)data, size);
    for (int strict = 0; strict < 2; strict++) {
        STR_AUTO struct str internal = {0};
        struct view rest;
        if (address_parse_path(text, strict != 0, &internal, &rest)) {
            CHECK(rest.ptr >= text.ptr && rest.ptr + rest.len <= text.ptr + text.len);
            check_round_trip(str_view(&internal));
        }
    }
    check_round_trip(text);
    check_list(text);
    struct view user, extension;
    (void)address_split_extension(text, "+-", &user, &extension);
    (void)address_valid_literal(text);
    return 0;
}
