/* SPDX-License-Identifier: MIT */
/* Without a server; tests/system/test_sql_tables.py has one. */
#include "testing/test.h"

#include "modules/server_testing.h"

static void test_settings(void **state)
{
    (void)state;
    static const struct settings_case cases[] = {
        {"query = SELECT 1\n", "D/t.cf: bad string length 0 < 1: dbname = "},
        {"dbname = d\n", "D/t.cf: bad string length 0 < 1: table = "},
        {"dbname = d\nquery = SELECT '%x'\n",
         "D/t.cf: Invalid query template: SELECT '%x'"},
        {"dbname = d\nquery = SELECT 1\nresult_format = %\n",
         "D/t.cf: Invalid result template: %"},
        {"dbname = d\nquery = SELECT 1\ntls_verify_cert = x\n",
         "D/t.cf: bad boolean configuration: tls_verify_cert = x"},
        {"dbname = d\nquery = SELECT 1\ntimeout = 1s\n",
         "D/t.cf: bad numerical configuration: timeout = 1s"},
    };
    server_test_settings("mysql", cases, ARRAY_SIZE(cases));
}

static void test_dead(void **state)
{
    (void)state;
    server_test_dead("mysql",
                     "hosts = inet:127.0.0.1:1 unix:/nonexistent/socket\ndbname = d\n"
                     "query = SELECT '%s'\n",
                     "connect to mysql server /nonexistent/socket: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
