/* SPDX-License-Identifier: MIT */
#include "map/block_text.h"

#include "base/check.h"
#include "base/number.h"

/* ADDRESS with all bits from PREFIX on cleared. */
static void mask_address(struct net_address *address, unsigned prefix)
{
    bool v6 = net_address_is_v6(address);
    uint8_t *bytes = v6 ? address->sa.v6.sin6_addr.s6_addr
                        : (uint8_t *)&address->sa.v4.sin_addr.s_addr;
    unsigned size = v6 ? 16 : 4;
    CHECK(prefix <= size * 8);
    for (unsigned i = 0; i < size; i++) {
        unsigned keep = prefix > i * 8 ? prefix - i * 8 : 0;
        if (keep < 8) {
            bytes[i] &= (uint8_t)(0xff00U >> keep);
        }
    }
}

static void describe_host_bits(struct view text, const struct net_address *address,
                               unsigned prefix, struct str *reason)
{
    struct net_address network = *address;
    mask_address(&network, prefix);
    char name[NET_ADDRESS_TEXT];
    net_address_text(&network, name);
    str_printf(reason,
               "non-null host address bits in \"%.*s\", "
               "perhaps you should use \"%s/%u\" instead",
               VIEW_ARG(text), name, prefix);
}

static struct view strip_brackets(struct view text)
{
    bool bracketed =
        text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
    return bracketed ? view_of(text.ptr + 1, text.len - 2) : text;
}

static void describe(struct view text, struct str *reason)
{
    size_t slash = view_index(text, '/');
    struct net_address address;
    bool good_address =
        net_address_parse(strip_brackets(view_first(text, slash)), 0, &address);
    if (slash == text.len) {
        str_printf(reason, "bad address pattern: \"%.*s\"", VIEW_ARG(text));
        return;
    }
    uint64_t prefix;
    if (!number_parse_u64(view_from(text, slash + 1), UINT32_MAX, &prefix)) {
        str_printf(reason, "bad mask value in \"%.*s\"", VIEW_ARG(text));
    } else if (!good_address) {
        str_printf(reason, "bad network value in \"%.*s\"", VIEW_ARG(text));
    } else if (prefix > (net_address_is_v6(&address) ? 128U : 32U)) {
        str_printf(reason, "bad mask length in \"%.*s\"", VIEW_ARG(text));
    } else {
        describe_host_bits(text, &address, (unsigned)prefix, reason);
    }
}

bool block_text_parse(struct view text, struct net_block *out, struct str *reason)
{
    size_t slash = view_index(text, '/');
    struct view address = view_first(text, slash);
    struct view bare = strip_brackets(address);
    STR_AUTO struct str copy = {0};
    if (bare.len != address.len && view_index(bare, ':') == bare.len) {
        /* "[10.0.0.1]/32": brackets do no harm. */
        str_add(&copy, bare);
        str_add(&copy, view_from(text, slash));
    } else {
        str_add(&copy, text);
    }
    str_clear(reason);
    if (net_block_parse(str_view(&copy), out, NULL)) {
        return true;
    }
    describe(text, reason);
    return false;
}
