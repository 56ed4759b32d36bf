/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include <stdio.h>

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

/* --- long tables answer as if their rules were tried one by one ------------------- */

enum { RULES = 2000, QUESTIONS = 3000 };

struct rule {
    char kind; /* 'r', 'i'f, 'e'ndif */
    bool negated;
    uint32_t network, mask;
};

static unsigned random_below(uint64_t *seed, unsigned limit)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*seed >> 33) % limit;
}

/* In a small part of the address space, so that networks overlap. */
static uint32_t random_address(uint64_t *seed)
{
    return UINT32_C(10) << 24 | random_below(seed, 4) << 16 |
           random_below(seed, 16) << 8 | random_below(seed, 256);
}

static struct rule random_rule(uint64_t *seed, unsigned *depth)
{
    struct rule rule = {.kind = 'r', .negated = random_below(seed, 100) == 0};
    unsigned choice = random_below(seed, 300);
    if (choice == 0) {
        rule.kind = 'i';
        ++*depth;
    } else if (choice < 3 && *depth > 0) {
        rule.kind = 'e';
        --*depth;
    }
    /* A "!" that held for most addresses would leave nothing to the rules behind it. */
    unsigned prefix = 26 + random_below(seed, 7);
    if (rule.kind == 'i' || rule.negated) {
        prefix = rule.kind == 'i' ? 9 + random_below(seed, 8) : 10;
    }
    rule.mask = UINT32_MAX << (32 - prefix);
    rule.network = random_address(seed) & rule.mask;
    return rule;
}

static void write_rule(const struct rule *rule, int number, struct str *out)
{
    if (rule->kind == 'e') {
        str_add_cstr(out, "endif\n");
        return;
    }
    str_printf(out, "%s%s%u.%u.%u.%u/%d", rule->kind == 'i' ? "if " : "",
               rule->negated ? "!" : "", rule->network >> 24,
               rule->network >> 16 & 0xff, rule->network >> 8 & 0xff,
               rule->network & 0xff, __builtin_popcount(rule->mask));
    if (rule->kind == 'r') {
        str_printf(out, " rule %d", number);
    }
    str_add_byte(out, '\n');
}

static int search(const struct rule *rules, uint32_t address)
{
    unsigned skipping = 0; /* depth of IFs that do not hold */
    for (int i = 0; i < RULES; i++) {
        bool hit = ((address & rules[i].mask) == rules[i].network) != rules[i].negated;
        if (rules[i].kind == 'e') {
            skipping -= skipping > 0;
        } else if (skipping > 0) {
            skipping += rules[i].kind == 'i';
        } else if (rules[i].kind == 'i') {
            skipping = !hit;
        } else if (hit) {
            return i;
        }
    }
    return -1;
}

static void test_long_table(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    uint64_t seed = 5;
    unsigned depth = 0;
    struct rule *rules = xcalloc(RULES, sizeof(rules[0]));
    STR_AUTO struct str text = {0};
    for (int i = 0; i < RULES; i++) {
        rules[i] = random_rule(&seed, &depth);
        write_rule(&rules[i], i, &text);
    }
    for (; depth > 0; depth--) {
        str_add_cstr(&text, "endif\n");
    }
    test_write_file(bench->directory, "c", str_ptr(&text));
    struct map *map = bench_open_file(bench, "cidr", "c", 0);
    assert_log(bench, "");
    int found = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        uint32_t address = random_address(&seed);
        char key[32], expected[32] = "(missing)";
        (void)snprintf(key, sizeof(key), "%u.%u.%u.%u", address >> 24,
                       address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
        int number = search(rules, address);
        if (number >= 0) {
            (void)snprintf(expected, sizeof(expected), "rule %d", number);
            found++;
        }
        assert_string_equal(bench_ask(bench, map, key), expected);
    }
    assert_in_range(found, QUESTIONS / 10, QUESTIONS - 1);
    map_close(&map);
    free(rules);
    bench_free(bench);
}

static void test_long_table_v6(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    STR_AUTO struct str text = {0};
    for (int i = 0; i < 100; i++) {
        str_printf(&text, "2001:db8:%x::/48 net %d\n10.0.%d.0/24 four %d\n", i, i, i,
                   i);
    }
    str_add_cstr(&text, "::/0 six\n0.0.0.0/0 four\n");
    test_write_file(bench->directory, "c", str_ptr(&text));
    struct map *map = bench_open_file(bench, "cidr", "c", 0);
    assert_string_equal(bench_ask(bench, map, "2001:db8:10::5"), "net 16");
    assert_string_equal(bench_ask(bench, map, "2001:db8:100::5"), "six");
    assert_string_equal(bench_ask(bench, map, "10.0.99.1"), "four 99");
    assert_int_equal(map_last_origin(map).line, 200);
    assert_string_equal(bench_ask(bench, map, "10.0.100.1"), "four");
    map_close(&map);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_long_table),
        cmocka_unit_test(test_long_table_v6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
