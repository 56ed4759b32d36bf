/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#define C(n) "warning: cidr map D/c, line " #n ": "

static void test_tables(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *answer, *log;
    } cases[] = {
        {"10.0.0.0/8  private ten\n", "10.9.8.7", "private ten", ""},
        {"10.0.0.0/8  private ten\n", "11.9.8.7", "(missing)", ""},
        {"10.0.0.0/8  private ten\n", "name.example.com", "(missing)", ""},
        {"!192.168.0.0/16 outside\n", "10.0.0.1", "outside", ""},
        {"!192.168.0.0/16 outside\n", "2001:db8::1", "(missing)", ""},
        {"! 10.0.0.1 v\n", "10.0.0.1", "(missing)", ""},
        {"0.0.0.0/0 all\n", "255.255.255.255", "all", ""},
        {"2001:db8::/32 doc\n", "2001:DB8::5", "doc", ""},
        {"[2001:db8::]/32 doc\n", "2001:db8::5", "doc", ""},
        {"[10.0.0.1]/32 v\n", "10.0.0.1", "v", ""},
        {"::/0 six\n", "10.0.0.1", "(missing)", ""},
        {"if 192.168.2.0/24\n192.168.2.128/25 upper\nendif\n0.0.0.0/0 rest\n",
         "192.168.2.200", "upper", ""},
        {"if 192.168.2.0/24\n192.168.2.128/25 upper\nendif\n0.0.0.0/0 rest\n",
         "192.168.2.1", "rest", ""},
        {"if 192.168.2.0/24\n0.0.0.0/0 in\nendif\n0.0.0.0/0 rest\n", "10.0.0.1", "rest",
         ""},
        {"if !10.0.0.1\n0.0.0.0/0 c\nendif\n", "10.0.0.1", "(missing)", ""},
        {"10.1.2.3/8 x\n", "10.1.2.3", "(missing)",
         C(1) "non-null host address bits in \"10.1.2.3/8\", perhaps you should use "
              "\"10.0.0.0/8\" instead: skipping this rule\n"},
        {"2001:db8::1/33 x\n", "::1", "(missing)",
         C(1) "non-null host address bits in \"2001:db8::1/33\", perhaps you should "
              "use "
              "\"2001:db8::/33\" instead: skipping this rule\n"},
        {"bogus line\n1.2.3.4 v\n", "1.2.3.4", "v",
         C(1) "bad address pattern: \"bogus\": skipping this rule\n"},
        {"10.0.0.0/33 x\n", "10.0.0.0", "(missing)",
         C(1) "bad mask length in \"10.0.0.0/33\": skipping this rule\n"},
        {"10.0.0.0/x v\n", "10.0.0.0", "(missing)",
         C(1) "bad mask value in \"10.0.0.0/x\": skipping this rule\n"},
        {"10.0.0.1/ v\n", "10.0.0.1", "(missing)",
         C(1) "bad mask value in \"10.0.0.1/\": skipping this rule\n"},
        {"10.0.0/8 v\n", "10.0.0.1", "(missing)",
         C(1) "bad network value in \"10.0.0/8\": skipping this rule\n"},
        {"10.0.0.0/8\n", "10.0.0.1", "(missing)",
         C(1) "no lookup result: skipping this rule\n"},
        {"if\n", "10.0.0.1", "(missing)",
         C(1) "no address pattern: skipping this rule\n"},
        {"if x\n", "10.0.0.1", "(missing)",
         C(1) "bad address pattern: \"x\": skipping this rule\n"},
        {"endif\nif 10.0.0.0/8\nif 10.0.0.1\n10.0.0.1 v\n", "10.0.0.1", "v",
         C(1) "ENDIF without IF: skipping this rule\n" C(
             3) "IF has no matching ENDIF\n" C(2) "IF has no matching ENDIF\n"},
        {"if 10.0.0.0/8\nendif x\n", "10.0.0.1", "(missing)",
         C(2) "garbage after ENDIF: skipping this rule\n" C(
             1) "IF has no matching ENDIF\n"},
    };
    struct bench *bench = bench_new("");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        test_write_file(bench->directory, "c", cases[i].text);
        struct map *map = bench_open_file(bench, "cidr", "c", MAP_FOLD);
        assert_string_equal(bench_ask(bench, map, cases[i].key), cases[i].answer);
        assert_log(bench, cases[i].log);
        assert_true(map_is_pattern(map));
        map_close(&map);
    }
    bench_free(bench);
}

static void test_inline(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map =
        map_open(bench->conf, VIEW("cidr:{{10.0.0.0/8 ten} {x y} {::1 one}}"), 0);
    assert_log(bench,
               "warning: cidr map {{10.0.0.0/8 ten} {x y} {::1 one}}, line 2: bad "
               "address pattern: \"x\": skipping this rule\n");
    assert_string_equal(bench_ask(bench, map, "10.1.1.1"), "ten");
    assert_int_equal(map_last_origin(map).line, 1);
    assert_string_equal(bench_ask(bench, map, "::1"), "one");
    assert_int_equal(map_last_origin(map).line, 3);
    map_close(&map);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_inline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
