/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "smtpd/access/rules.h"

static void test_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *argument, *table, *order, *problem;
    } rows[] = {
        {"hash:/x", "hash:/x", "ck", NULL},
        {"inline:{a=b, c=d}", "inline:{a=b, c=d}", "ck", NULL},
        {"hash:/x, { search_order = pubkey_fingerprint, cert_fingerprint }", "hash:/x",
         "kc", NULL},
        {"hash:/x {search_order=cert_fingerprint}", "hash:/x", "c", NULL},
        {"inline:{a=b} , {search_order = pubkey_fingerprint}", "inline:{a=b}", "k",
         NULL},
        {"hash:/x, {search_order = subject}", NULL, NULL,
         "unknown search type 'subject'"},
        {"hash:/x, search_order = x", NULL, NULL, "malformed attribute 'search_order'"},
        {"hash:/x, {order = cert_fingerprint}", NULL, NULL, "need { search_order"},
        {"hash:/x, {}", NULL, NULL, "malformed attribute ''"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct arena arena = {0};
        struct view table;
        const char *order;
        const char *problem = "";
        bool good = ccert_parse_argument(&arena, view_cstr(rows[i].argument), &table,
                                         &order, &problem);
        assert_int_equal(good, rows[i].problem == NULL);
        if (good) {
            assert_view_equal(table, rows[i].table);
            assert_string_equal(order, rows[i].order);
        } else if (strstr(problem, rows[i].problem) == NULL) {
            fail_msg("%s: %s", rows[i].argument, problem);
        }
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
