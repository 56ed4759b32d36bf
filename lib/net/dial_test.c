/* SPDX-License-Identifier: MIT */
#include "net/dial.h"

#include <unistd.h>

#include "base/str.h"
#include "net/address.h"
#include "net/connect.h"
#include "sys/clock.h"
#include "testing/test.h"

static void test_parse(void **state)
{
    static const struct {
        const char *text, *name, *path, *host;
        uint16_t port;
    } rows[] = {
        {"unix:private/policy", "private/policy", "private/policy", NULL, 0},
        {"unix:/run/x:y", "/run/x:y", "/run/x:y", NULL, 0},
        {"inet:127.0.0.1:10023", "127.0.0.1:10023", NULL, "127.0.0.1", 10023},
        {"inet:[::1]:smtp", "[::1]:smtp", NULL, "::1", 25},
        {"inet:localhost:1", "localhost:1", NULL, "localhost", 1},
        {"foo", NULL, NULL, NULL, 0},
        {"foo:bar", NULL, NULL, NULL, 0},
        {"unix:", NULL, NULL, NULL, 0},
        {"inet:10023", NULL, NULL, NULL, 0},
        {"inet::10023", NULL, NULL, NULL, 0},
        {"inet:host:0", NULL, NULL, NULL, 0},
        {"inet:host:70000", NULL, NULL, NULL, 0},
        {"inet:host:no-such-service", NULL, NULL, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dial_target target;
        struct err err = {0};
        enum outcome outcome =
            dial_target_parse(view_cstr(rows[i].text), &target, &err);
        assert_int_equal(outcome, rows[i].name != NULL ? OK : PERMFAIL);
        if (outcome == OK) {
            assert_string_equal(target.name, rows[i].name);
            assert_int_equal(target.port, rows[i].port);
            assert_string_equal(target.path != NULL ? target.path : target.host,
                                rows[i].path != NULL ? rows[i].path : rows[i].host);
        }
        dial_target_done(&target);
    }
}

/* The first address of the name may be one where nobody listens. */
static void test_connect(void **state)
{
    struct net_address address;
    struct net_address bound;
    struct err err = {0};
    struct dial_target target;
    (void)state;
    assert_true(net_address_parse(VIEW("127.0.0.1"), 0, &address));
    int listener = listen_tcp(&address, 5, &err);
    assert_true(listener >= 0 && net_address_local(listener, &bound));
    STR_AUTO struct str text = {0};
    str_printf(&text, "inet:127.0.0.1:%u", net_address_port(&bound));
    assert_int_equal(dial_target_parse(str_view(&text), &target, &err), OK);
    int fd = dial(&target, clock_now() + 5 * (int64_t)CLOCK_SECOND, &err);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(listener);
    fd = dial(&target, clock_now() + 5 * (int64_t)CLOCK_SECOND, &err);
    assert_int_equal(fd, -1);
    assert_string_equal(err.text, "Connection refused");
    dial_target_done(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse),
                                       cmocka_unit_test(test_connect)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
