/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "net/address.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed; /* NULL: refused */
    } cases[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::1", "::1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"::ffff:c000:207", "192.0.2.7"},
        {"::192.0.2.7", "::192.0.2.7"},
        {"", NULL},
        {" 127.0.0.1", NULL},
        {"127.0.0.1 ", NULL},
        {"127.1", NULL},
        {"127.0.0.01", NULL},
        {"127.0.0.256", NULL},
        {"1.2.3.4.5", NULL},
        {"[::1]", NULL},
        {"::1%lo", NULL},
        {":::1", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"localhost", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct net_address address;
        char printed[NET_ADDRESS_TEXT];
        bool ok = net_address_parse(view_cstr(cases[i].text), 25, &address);
        assert_int_equal(ok, cases[i].printed != NULL);
        if (ok) {
            net_address_text(&address, printed);
            assert_string_equal(printed, cases[i].printed);
            assert_int_equal(net_address_port(&address), 25);
        }
    }
}

/* Exact-size copies, so that a sanitizer sees a read past the end. */
static void test_parse_truncated(void **state)
{
    (void)state;
    static const char *const texts[] = {"[2001:db8::ffff:192.0.2.1]/128",
                                        "2001:db8::ffff:192.0.2.1",
                                        "192.168.100.200/32", "::ffff:127.0.0.0/104"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        for (size_t len = 0; len <= strlen(texts[i]); len++) {
            char *copy = xmalloc(len > 0 ? len : 1);
            memcpy(copy, texts[i], len);
            struct net_address address;
            struct net_block block;
            (void)net_address_parse(view_of(copy, len), 0, &address);
            if (net_block_parse(view_of(copy, len), &block, NULL)) {
                assert_true(net_block_contains(&block, &block.address));
            }
            free(copy);
        }
    }
    struct net_address address;
    assert_false(net_address_parse(view_of("127.0.0.1\0x", 11), 0, &address));
    assert_false(net_address_parse(view_of("127.0.0.1\0", 10), 0, &address));
}

static void test_parse_long(void **state)
{
    (void)state;
    enum { LONG = 1000000 };
    STR_AUTO struct str text = {0};
    for (int i = 0; i < LONG; i++) {
        str_add_byte(&text, i % 4 == 3 ? '.' : '1');
    }
    struct net_address address;
    struct net_block block;
    assert_false(net_address_parse(str_view(&text), 0, &address));
    assert_false(net_block_parse(str_view(&text), &block, NULL));
    text.ptr[0] = '[';
    assert_false(net_block_parse(str_view(&text), &block, NULL));
}

static void test_equal(void **state)
{
    (void)state;
    struct net_address a, b, c;
    assert_true(net_address_parse(VIEW("192.0.2.1"), 25, &a));
    assert_true(net_address_parse(VIEW("::ffff:192.0.2.1"), 587, &b));
    assert_true(net_address_parse(VIEW("2001:db8::1"), 25, &c));
    assert_true(net_address_equal(&a, &b));
    assert_false(net_address_equal(&a, &c));
    assert_false(net_address_is_v6(&b));
    assert_true(net_address_is_v6(&c));
    net_address_set_port(&c, 465);
    assert_int_equal(net_address_port(&c), 465);
}

struct block_case {
    const char *text;
    int prefix; /* -1: refused */
    bool host_bits;
    const char *inside, *outside;
};

static void check_block(const struct block_case *c)
{
    struct net_block block;
    struct net_address address;
    bool host_bits;
    bool ok = net_block_parse(view_cstr(c->text), &block, &host_bits);
    assert_int_equal(ok, c->prefix >= 0);
    assert_int_equal(host_bits, c->host_bits);
    if (!ok) {
        return;
    }
    assert_int_equal(block.prefix, c->prefix);
    assert_true(net_address_parse(view_cstr(c->inside), 0, &address));
    assert_true(net_block_contains(&block, &address));
    if (c->outside != NULL) {
        assert_true(net_address_parse(view_cstr(c->outside), 0, &address));
        assert_false(net_block_contains(&block, &address));
    }
}

static void test_block(void **state)
{
    (void)state;
    static const struct block_case cases[] = {
        {"10.0.0.0/8", 8, false, "10.255.1.2", "11.0.0.0"},
        {"10.1.2.3", 32, false, "10.1.2.3", "10.1.2.2"},
        {"0.0.0.0/0", 0, false, "255.0.0.1", "::1"},
        {"192.168.128.0/17", 17, false, "192.168.255.255", "192.168.127.255"},
        {"127.0.0.0/31", 31, false, "127.0.0.1", "127.0.0.2"},
        {"[::1]/128", 128, false, "::1", "::2"},
        {"[::1]", 128, false, "::1", "127.0.0.1"},
        {"::1", 128, false, "::1", "::2"},
        {"[2001:db8::]/32", 32, false, "2001:db8:ffff::", "2001:db9::"},
        {"2001:db8:8000::/33", 33, false, "2001:db8:8000::1", "2001:db8::1"},
        {"[::]/0", 0, false, "2001:db8::1", "127.0.0.1"},
        {"[::ffff:127.0.0.0]/104", 8, false, "127.3.4.5", "128.0.0.1"},
        {"10.0.0.1/8", -1, true, NULL, NULL},
        {"[2001:db8::1]/32", -1, true, NULL, NULL},
        {"10.0.0.0/33", -1, false, NULL, NULL},
        {"[::1]/129", -1, false, NULL, NULL},
        {"10.0.0.0/", -1, false, NULL, NULL},
        {"10.0.0.0/-1", -1, false, NULL, NULL},
        {"10.0.0.0/8x", -1, false, NULL, NULL},
        {"10.0.0/24", -1, false, NULL, NULL},
        {"[127.0.0.1]", -1, false, NULL, NULL},
        {"[::1", -1, false, NULL, NULL},
        {"[::1]x128", -1, false, NULL, NULL},
        {"[]", -1, false, NULL, NULL},
        {"/8", -1, false, NULL, NULL},
        {"", -1, false, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check_block(&cases[i]);
    }
}

static void test_from_kernel(void **state)
{
    (void)state;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    struct net_address address;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0) {
        assert_true(net_address_local(fd, &address));
        assert_int_not_equal(net_address_port(&address), 0);
        assert_false(net_address_peer(fd, &address)); /* not connected */
    }
    close(fd);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(net_address_peer(pair[0], &address)); /* no such thing as a port */
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_parse_truncated),
        cmocka_unit_test(test_parse_long), cmocka_unit_test(test_equal),
        cmocka_unit_test(test_block),      cmocka_unit_test(test_from_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
