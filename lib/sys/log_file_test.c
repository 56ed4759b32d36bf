/* SPDX-License-Identifier: MIT */
#include "sys/log_file.h"

#include "testing/test.h"

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *path, *prefixes;
        bool allowed;
    } cases[] = {
        {"/var/log/mail.log", "/var, /dev/stdout", true},
        {"/dev/stdout", "/var, /dev/stdout", true},
        {"/dev/stdout2", "/var, /dev/stdout", false},
        {"/variable/log", "/var", false},
        {"/var/../etc/passwd", "/var", false},
        {"/var/log..x", "/var", true},
        {"/srv/log", "/var /srv/", true},
        {"/srv", "/srv/", true},
        {"/anything", "/", true},
        {"relative", "/", false},
        {"/var/log", "", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(log_file_allowed(cases[i].path, cases[i].prefixes),
                         cases[i].allowed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prefixes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
