/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include <stdio.h>

#include "map/pattern_filter.h"

/* --- the filter -------------------------------------------------------------- */

/* Numbers of the expressions that may match SUBJECT, such as "1 3 ". */
static void assert_candidates(struct pattern_filter *filter, size_t count,
                              const char *subject, const char *expected)
{
    STR_AUTO struct str text = {0};
    pattern_filter_look(filter, view_cstr(subject));
    for (size_t i = 0; i < count; i++) {
        if (pattern_filter_may_match(filter, i)) {
            str_printf(&text, "%zu ", i);
        }
    }
    assert_string_equal(str_ptr(&text), expected);
}

static void test_candidates(void **state)
{
    (void)state;
    static const char *const expressions[] = {
        "^user1@example\\.com$",
        "^user2@example\\.com$",
        ".*",
        "a",
        "(one|two|three)@",
        "^ab$",
        "abc",
        "@example\\.com",
        "x(yz|wv)",
        "spam",
    };
    enum { COUNT = ARRAY_SIZE(expressions) };
    struct arena arena = {0};
    const struct literal_set *sets[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sets[i] = literal_sets(&arena, expressions[i], LITERAL_PCRE);
    }
    assert_null(pattern_filter_new(sets, 4)); /* too few to be worth it */
    struct pattern_filter *filter = pattern_filter_new(sets, COUNT);
    assert_non_null(filter);
    arena_clear(&arena);
    assert_candidates(filter, COUNT, "USER1@Example.COM", "0 2 3 7 ");
    assert_candidates(filter, COUNT, "user3@example.com", "2 3 7 ");
    assert_candidates(filter, COUNT, "two@", "2 3 4 ");
    assert_candidates(filter, COUNT, "abc xyz", "2 3 5 6 8 ");
    assert_candidates(filter, COUNT, "xwv", "2 3 8 ");
    assert_candidates(filter, COUNT, "spa", "2 3 ");
    assert_candidates(filter, COUNT, "", "2 3 ");
    assert_int_equal(pattern_filter_next(filter, 0), 2);
    assert_int_equal(pattern_filter_next(filter, 3), 3);
    assert_int_equal(pattern_filter_next(filter, 4), COUNT);
    pattern_filter_always(filter, 6);
    assert_int_equal(pattern_filter_next(filter, 4), 6);
    assert_false(pattern_filter_may_match(filter, 6));
    pattern_filter_free(&filter);
    assert_null(filter);
}

/* --- tables answer as without it --------------------------------------------- */

enum { RULES = 300, SUBJECTS = 400, SUBJECT = 16 };

struct rule {
    char kind; /* 'r', 'i'f, 'e'ndif */
    struct str expression;
    struct map *alone; /* a table of this rule only: answers for its expression */
};

static unsigned random_below(uint64_t *seed, unsigned limit)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*seed >> 33) % limit;
}

static void random_word(uint64_t *seed, char *out, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        out[i] = "abcdeAB@."[random_below(seed, 9)];
    }
    out[len] = '\0';
}

/* "!/expression/" of random words. */
static void random_expression(uint64_t *seed, struct str *out)
{
    char word[8], other[8];
    random_word(seed, word, 1 + random_below(seed, 4));
    random_word(seed, other, 1 + random_below(seed, 4));
    str_add_cstr(out, random_below(seed, 20) == 0 ? "!" : "");
    switch (random_below(seed, 5)) {
    case 0:
        str_printf(out, "/%s/", word);
        break;
    case 1:
        str_printf(out, "/^%s/", word);
        break;
    case 2:
        str_printf(out, "/%s.*%s/", word, other);
        break;
    case 3:
        str_printf(out, "/(%s|%s)/", word, other);
        break;
    default:
        str_printf(out, "/[%s]+$/", word);
        break;
    }
}

static void make_rule(struct bench *bench, const char *type, uint64_t *seed,
                      struct rule *rule, unsigned *depth)
{
    unsigned choice = random_below(seed, 12);
    rule->kind = choice == 0 ? 'i' : choice == 1 && *depth > 0 ? 'e' : 'r';
    *depth += rule->kind == 'i';
    *depth -= rule->kind == 'e';
    random_expression(seed, &rule->expression);
    char *title = xasprintf("%s:{{%s hit}}", type, str_ptr(&rule->expression));
    rule->alone = map_open(bench->conf, view_cstr(title), 0);
    free(title);
}

/* Number of the rule that answers, or -1. */
static int search(struct bench *bench, const struct rule *rules, const char *subject)
{
    unsigned skipping = 0; /* depth of IFs that do not hold */
    for (int i = 0; i < RULES; i++) {
        const struct rule *rule = &rules[i];
        if (rule->kind == 'e') {
            skipping -= skipping > 0;
            continue;
        }
        if (skipping > 0) {
            skipping += rule->kind == 'i';
            continue;
        }
        bool hit = strcmp(bench_ask(bench, rule->alone, subject), "hit") == 0;
        if (rule->kind == 'i') {
            skipping = !hit;
        } else if (hit) {
            return i;
        }
    }
    return -1;
}

static void check_type(const char *type)
{
    struct bench *bench = bench_new("");
    uint64_t seed = 3;
    unsigned depth = 0;
    struct rule *rules = xcalloc(RULES, sizeof(rules[0]));
    STR_AUTO struct str text = {0};
    for (int i = 0; i < RULES; i++) {
        make_rule(bench, type, &seed, &rules[i], &depth);
        if (rules[i].kind == 'e') {
            str_add_cstr(&text, "endif\n");
        } else if (rules[i].kind == 'i') {
            str_printf(&text, "if %s\n", str_ptr(&rules[i].expression));
        } else {
            str_printf(&text, "%s rule %d\n", str_ptr(&rules[i].expression), i);
        }
    }
    for (; depth > 0; depth--) {
        str_add_cstr(&text, "endif\n");
    }
    test_write_file(bench->directory, "t", str_ptr(&text));
    struct map *map = bench_open_file(bench, type, "t", 0);
    assert_log(bench, "");
    int found = 0;
    for (int i = 0; i < SUBJECTS; i++) {
        char subject[SUBJECT + 1], expected[32] = "(missing)";
        random_word(&seed, subject, random_below(&seed, SUBJECT) + 1);
        int number = search(bench, rules, subject);
        if (number >= 0) {
            (void)snprintf(expected, sizeof(expected), "rule %d", number);
            found++;
        }
        assert_string_equal(bench_ask(bench, map, subject), expected);
    }
    assert_true(found > SUBJECTS / 10);
    map_close(&map);
    for (int i = 0; i < RULES; i++) {
        map_close(&rules[i].alone);
        str_done(&rules[i].expression);
    }
    free(rules);
    bench_free(bench);
}

static void test_tables(void **state)
{
    (void)state;
    check_type("pcre");
    check_type("regexp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
