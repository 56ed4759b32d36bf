/* SPDX-License-Identifier: MIT */
#include "conf/mynetworks.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "testing/test.h"

static void check(const char *interfaces, const char *protocols, const char *style,
                  const char *expected)
{
    STR_AUTO struct str out = {0};
    mynetworks_compute(interfaces, protocols, style, &out);
    assert_string_equal(str_ptr(&out), expected);
}

/* The loopback interface is the one that every host has. */
static void test_loopback(void **state)
{
    (void)state;
    check("127.0.0.1", "ipv4", "host", "127.0.0.1/32");
    check("127.0.0.1, [127.0.0.1]", "all", "subnet", "127.0.0.0/8");
    check("127.0.0.1", "ipv4, ipv6", "class", "127.0.0.0/8");
    check("127.0.0.1", "ipv6", "subnet", "");
    check("", "all", "subnet", "");
}

static void test_all_interfaces(void **state)
{
    (void)state;
    STR_AUTO struct str out = {0};
    mynetworks_compute("all", "all", "subnet", &out);
    assert_non_null(strstr(str_ptr(&out), "127.0.0.0/8"));
}

static int warnings;

static void count(enum log_level level, const char *text, void *context)
{
    (void)text;
    (void)context;
    warnings += level == LOG_LEVEL_WARNING;
}

static void test_foreign_address(void **state)
{
    (void)state;
    log_init("mynetworks_test");
    log_set_stderr(false);
    log_set_hook(count, NULL);
    check("198.51.100.77, 127.0.0.1", "ipv4", "host", "127.0.0.1/32");
    assert_int_equal(warnings, 1);
    check("127.0.0.1", "ipv4", "bogus", "127.0.0.1/32");
    assert_int_equal(warnings, 2);
    log_set_hook(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_all_interfaces),
        cmocka_unit_test(test_foreign_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
