/* SPDX-License-Identifier: MIT */
/* Addresses, networks and host names from configuration and commands. */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "net/address.h"
#include "net/dns.h"

static void check_address(struct view text)
{
    struct net_address address, again;
    char printed[NET_ADDRESS_TEXT];
    if (!net_address_parse(text, 25, &address)) {
        return;
    }
    net_address_text(&address, printed);
    CHECK(net_address_parse(view_cstr(printed), 25, &again));
    CHECK(net_address_equal(&address, &again));
    CHECK(net_address_port(&address) == 25);
}

static void check_block(struct view text)
{
    struct net_block block;
    bool host_bits;
    if (net_block_parse(text, &block, &host_bits)) {
        CHECK(!host_bits && net_block_contains(&block, &block.address));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_of((const char *)data, size);
    check_address(text);
    check_block(text);
    if (dns_hostname_ok(text)) {
        CHECK(size > 0 && size <= 255);
    }
    return 0;
}
