/* SPDX-License-Identifier: MIT */
/* Without a server; tests/system/test_sql_tables.py has one. */
#include "testing/test.h"

#include "modules/server_testing.h"

static void test_settings(void **state)
{
    (void)state;
    static const struct settings_case cases[] = {
        {"query_filter = a=%s\n", "D/t.cf: bad string length 0 < 1: search_base = "},
        {"search_base = %x\n", "D/t.cf: Invalid search_base template: %x"},
        {"search_base = b\nquery_filter = %\n",
         "D/t.cf: Invalid query_filter template: %"},
        {"search_base = b\nresult_filter = %q\n",
         "D/t.cf: Invalid result template: %q"},
        {"search_base = b\nscope = all\n", "D/t.cf: unrecognized value for scope: all"},
        {"search_base = b\nbind = maybe\n", "D/t.cf: unsupported bind method: maybe"},
        {"search_base = b\nversion = 4\n",
         "D/t.cf: invalid parameter value, too large: version = 4"},
        {"search_base = b\nversion = 2\nstart_tls = yes\n",
         "D/t.cf: start_tls = yes needs version = 3"},
        {"search_base = b\nversion = 2\nbind = sasl\n",
         "D/t.cf: bind = sasl needs version = 3"},
        {"search_base = b\nrecursion_limit = 0\n",
         "D/t.cf: invalid parameter value, too small: recursion_limit = 0"},
        {"search_base = b\nresult_attribute =\n", "D/t.cf: no result attribute"},
        {"search_base = b\nserver_host = ldap://[x\n",
         "D/t.cf: server_host is no LDAP URL: ldap://[x"},
    };
    server_test_settings("ldap", cases, ARRAY_SIZE(cases));
}

static void test_dead(void **state)
{
    (void)state;
    server_test_dead(
        "ldap", "server_host = 127.0.0.1\nserver_port = 1\nsearch_base = o=x\n",
        "Unable to bind to server ldap://127.0.0.1:1 as \"\": Can't contact "
        "LDAP server");
}

static void test_warnings(void **state)
{
    (void)state;
    struct bench *bench = sql_bench("ldap", "");
    struct map *map =
        sql_open(bench, "ldap", "search_base = o=x\nquery_filter = a=b\ncache = yes\n");
    assert_null(map_open_error(map));
    assert_log(bench,
               "warning: D/t.cf: Fixed query_filter a=b is probably useless\n"
               "warning: D/t.cf: cache ignored: LDAP libraries have no cache any "
               "more\n");
    map_close(&map);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
