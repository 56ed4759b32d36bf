/* SPDX-License-Identifier: MIT */
/* Without a server; tests/system/test_sql_tables.py has one. */
#include "testing/test.h"

#include "modules/server_testing.h"

static void test_settings(void **state)
{
    (void)state;
    static const struct settings_case cases[] = {
        {"query = SELECT 1\n", "D/t.cf: bad string length 0 < 1: dbname = "},
        {"hosts = postgresql://x/y\n", "D/t.cf: bad string length 0 < 1: table = "},
        {"hosts = postgresql://x/y\nselect_function = f\nidle_interval = 0\n",
         "D/t.cf: invalid parameter value, too small: idle_interval = 0"},
    };
    server_test_settings("pgsql", cases, ARRAY_SIZE(cases));
}

static void test_dead(void **state)
{
    (void)state;
    server_test_dead("pgsql", "hosts = 127.0.0.1:1\ndbname = d\nselect_function = f\n",
                     "connect to pgsql server 127.0.0.1:1: ");
}

/* A URI may have a password in it, which is nobody's business. */
static void test_dead_by_uri(void **state)
{
    (void)state;
    server_test_dead("pgsql",
                     "hosts = postgresql://me:secret@127.0.0.1:1/db\n"
                     "query = SELECT '%s'\n",
                     "connect to pgsql server 127.0.0.1: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_dead_by_uri),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
