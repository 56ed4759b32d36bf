/* SPDX-License-Identifier: MIT */
#include "master/interfaces.h"

#include "base/check.h"
#include "testing/test.h"

static void resolve(const char *settings, const char *name, struct str *out)
{
    struct err err;
    struct address_list list;
    struct conf *conf = conf_open_text("/nowhere", settings, &err);
    assert_non_null(conf);
    str_clear(out);
    if (interfaces_resolve(conf, name, &list, &err) != OK) {
        str_printf(out, "error: %s", err.text);
    } else {
        for (int i = 0; i < list.count; i++) {
            str_add_cstr(out, i > 0 ? ", " : "");
            interfaces_describe(&list.addresses[i], out);
        }
    }
    conf_free(&conf);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *name, *expected;
    } cases[] = {
        {"inet_protocols = ipv4", "25", "0.0.0.0 port 25"},
        {"inet_protocols = all", "smtp", "0.0.0.0 port 25, :: port 25"},
        {"inet_protocols = ipv6", "submission", ":: port 587"},
        {"inet_protocols = ipv4, ipv6\ninet_interfaces = all", "465",
         "0.0.0.0 port 465, :: port 465"},
        {"", "smtps", "0.0.0.0 port 465, :: port 465"},
        {"", "127.0.0.1:2525", "127.0.0.1 port 2525"},
        {"", "[127.0.0.1]:2525", "127.0.0.1 port 2525"},
        {"", "[::1]:2525", "::1 port 2525"},
        {"", "::1:2525", "::1 port 2525"},
        {"inet_protocols = ipv4\ninet_interfaces = 127.0.0.1 127.0.0.2, 127.0.0.1",
         "25", "127.0.0.1 port 25, 127.0.0.2 port 25"},
        {"inet_interfaces = [::1], 127.0.0.1", "25", "::1 port 25, 127.0.0.1 port 25"},
        {"inet_interfaces = loopback-only\ninet_protocols = ipv4", "25",
         "127.0.0.1 port 25"},
        {"inet_interfaces = 127.0.0.1\ninet_protocols = ipv6", "25",
         "error: service 25: no address of inet_interfaces is of inet_protocols"},
        {"inet_protocols = ipx", "25",
         "error: parameter inet_protocols: unknown protocol name: ipx"},
        {"", "nosuchservice", "error: unknown service: nosuchservice/tcp"},
        {"", "0", "error: unknown service: 0/tcp"},
        {"", "65536", "error: unknown service: 65536/tcp"},
        {"", "25x", "error: unknown service: 25x/tcp"},
        {"", "host.invalid:25", "error: service: host not found: host.invalid"},
        {"known_tcp_ports = a=b=2001 c=2002", "b", "0.0.0.0 port 2001, :: port 2001"},
        {"known_tcp_ports = a=b=2001 c=2002", "c", "0.0.0.0 port 2002, :: port 2002"},
    };
    STR_AUTO struct str text = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        resolve(cases[i].settings, cases[i].name, &text);
        assert_string_equal(str_ptr(&text), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
