/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include "proxymap/proxymap.h"

static void test_list(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct approved *approved = approved_new(
        bench->conf, "proxy:hash:/a, hash:/b proxy:mysql:/c,unionmap:{proxy:tcp:x:1, "
                     "proxy:cidr:/d}\nproxy:unix:passwd.byname mysql:/e");
    static const struct {
        const char *table;
        bool yes;
    } cases[] = {
        {"hash:/a", true},   {"mysql:/c", true}, {"tcp:x:1", true},
        {"cidr:/d", true},   {"hash:/b", false}, {"unix:passwd.byname", true},
        {"mysql:/e", false}, {"hash:/", false},  {"hash:/ab", false},
        {"", false},         {"HASH:/a", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(approved_has(approved, view_cstr(cases[i].table)),
                         cases[i].yes);
    }
    approved_free(&approved);
    assert_null(approved);
    bench_free(bench);
}

/* Tables of types that block, wherever the administrator has named them; nothing else.
 */
static void test_carried(void **state)
{
    (void)state;
    struct bench *bench = bench_new(
        "virtual_alias_maps = mysql:/alias.cf, hash:/other proxy:pgsql:/p.cf\n"
        "mydestination = $myhostname !sqlite:/not.cf ldap:$myhostname\n"
        "class = check_client_access { ldap:/client.cf, default_action = DUNNO }\n"
        "relay_domains = unionmap:{mysql:/one.cf,mysql:/two.cf}\n"
        "text = a sentence: mysql: is a type\n"
        "local_recipient_maps = unix:passwd.byname\n");
    test_write_file(
        bench->directory, "master.cf",
        "smtp inet n - n - - smtpd\n"
        "  -o smtpd_recipient_restrictions=check_recipient_access,mysql:/m.cf\n"
        "  -o { virtual_mailbox_maps = pgsql:/$mydomain.cf }\n");
    struct approved *approved = approved_new(bench->conf, "");
    approved_add_carried(approved);
    static const struct {
        const char *table;
        bool yes;
    } cases[] = {
        {"mysql:/alias.cf", true},       {"hash:/other", false},
        {"pgsql:/p.cf", false},          {"sqlite:/not.cf", true},
        {"ldap:mail.example.com", true}, {"ldap:/client.cf", true},
        {"mysql:/one.cf", true},         {"mysql:/two.cf", true},
        {"mysql:/m.cf", true},           {"pgsql:/example.com.cf", true},
        {"unix:passwd.byname", true},    {"mysql:", false},
        {"mysql:/etc/shadow", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(approved_has(approved, view_cstr(cases[i].table)),
                         cases[i].yes);
    }
    assert_log(bench, "");
    approved_free(&approved);
    bench_free(bench);
}

static void test_without_master_cf(void **state)
{
    (void)state;
    struct bench *bench = bench_new("relay_domains = mysql:/a.cf");
    struct approved *approved = approved_new(bench->conf, "");
    approved_add_carried(approved);
    assert_true(approved_has(approved, VIEW("mysql:/a.cf")));
    char *log = bench_take(bench);
    assert_non_null(
        strstr(log, "warning: tables that only master.cf names are not served: "));
    free(log);
    approved_free(&approved);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_carried),
        cmocka_unit_test(test_without_master_cf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
