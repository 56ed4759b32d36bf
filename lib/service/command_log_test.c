/* SPDX-License-Identifier: MIT */
#include "service/command_log.h"

#include "base/check.h"
#include "testing/test.h"

static void test_packets(void **state)
{
    (void)state;
    static const struct {
        const char *packet;
        bool good;
        const char *tag;
        uint64_t number;
        const char *text;
    } cases[] = {
        {"postfix/sendmail[12]: fatal: no", true, "postfix/sendmail", 12, "fatal: no"},
        {"foo[0]: ", true, "foo", 0, ""},
        {"foo[1]: a[2]: b", true, "foo", 1, "a[2]: b"},
        {"foo[x]: b", false, "", 0, ""},
        {"foo[-1]: b", false, "", 0, ""},
        {"foo[99999999999999999999999]: b", false, "", 0, ""},
        {"[1]: b", false, "", 0, ""},
        {"foo[1] b", false, "", 0, ""},
        {"foo[1", false, "", 0, ""},
        {"foo", false, "", 0, ""},
        {"", false, "", 0, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct log_packet line;
        bool good = log_packet_parse(view_cstr(cases[i].packet), &line);
        assert_int_equal(good, cases[i].good);
        if (good) {
            assert_view_equal(line.tag, cases[i].tag);
            assert_view_equal(line.text, cases[i].text);
            assert_int_equal(line.number, cases[i].number);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_packets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
