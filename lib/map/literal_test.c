/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include "map/pattern.h"

/* "user|@example.com & other": sets joined by "&", their texts by "|". */
static void describe(const struct literal_set *sets, struct str *out)
{
    for (const struct literal_set *set = sets; set != NULL; set = set->next) {
        str_add_cstr(out, out->len > 0 ? " & " : "");
        for (size_t i = 0; i < set->count; i++) {
            str_add_cstr(out, i > 0 ? "|" : "");
            str_add(out, set->texts[i]);
        }
    }
}

static void assert_sets(const char *expression, enum literal_syntax syntax,
                        const char *expected)
{
    struct arena arena = {0};
    STR_AUTO struct str text = {0};
    describe(literal_sets(&arena, expression, syntax), &text);
    if (strcmp(str_ptr(&text), expected) != 0) {
        fail_msg("%s: %s instead of %s", expression, str_ptr(&text), expected);
    }
    arena_clear(&arena);
}

static void test_both_syntaxes(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *sets;
    } rows[] = {
        {"", ""},
        {"a", ""},
        {"Hello World", "hello world"},
        {"^user[0-9]+@example\\.com$", "@example.com & user"},
        {"^(.*)@example\\.com$", "@example.com"},
        {"colou?r", "colo"},
        {"ab*cd", "cd"},
        {"abc+def", "def & abc"},
        {"abc{2}def", "def & abc"},
        {"abc{0,2}def", "def & ab"},
        {"abc{0}def", "def & ab"},
        {"abc{1,}def", "def & abc"},
        {"one|two", "one|two"},
        {"one|t", ""},
        {"one|", ""},
        {"(one|two)three", "three & one|two"},
        {"(one|two)*three", "three"},
        {"(one|two){0,3}three", "three"},
        {"(one|two)+three", "three & one|two"},
        {"x(one(two|five)?three)y", "one & three"},
        {"[abc]def[^]x]ghi[]]jkl", "jkl & ghi & def"},
        {"[[:alpha:]]def", "def"},
        {"\\.\\*\\/ab", ".*/ab"},
        {"ab\\bcd\\wef", "ef & cd & ab"},
        {"ab$cd^ef", "ef & cd & ab"},
        {"ab^*cd", "cd & ab"},
        /* Nothing is known about these. */
        {"abc{,2}def", ""},
        {"abc{x}def", ""},
        {"abc(def", ""},
        {"abc)def", ""},
        {"abc[def", ""},
        {"abc\\", ""},
        {"abc\\1", ""},
        {"*abc", ""},
        {"abc(*def)", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_sets(rows[i].expression, LITERAL_PCRE, rows[i].sets);
        assert_sets(rows[i].expression, LITERAL_POSIX, rows[i].sets);
        assert_sets(rows[i].expression, LITERAL_NONE, "");
    }
}

static void test_differences(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *pcre, *posix;
    } rows[] = {
        {"abc+?def", "def & abc", "def & ab"},
        {"abc{2}?def", "def & abc", "def & ab"},
        {"abc{2}{0}def", "def & ab", "def & ab"},
        {"abc++def", "def & abc", "def & abc"},
        {"(?:abc)def", "def & abc", ""},
        {"(?i)abc(?-i:def)", "def & abc", ""},
        {"(?x)abc", "", ""},
        {"(?!abc)def", "def", ""},
        {"(?=abc)def(?<=ghi)(?<!jkl)", "def", ""},
        {"(?>abc)def", "def & abc", ""},
        {"(?#abc)def", "", ""},
        {"(?<name>abc)", "", ""},
        {"abc\\Qdef", "", ""},
        {"abc\\d", "abc", ""},
        {"abc\\N{U+41}", "", ""},
        {"abc\\<def", "abc<def", "def & abc"},
        {"[\\]abc]def", "def", "abc]def"},
        {"[[.-.]a]def", "def", "def"},
        {"[\\Qabc]def", "", "def"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_sets(rows[i].expression, LITERAL_PCRE, rows[i].pcre);
        assert_sets(rows[i].expression, LITERAL_POSIX, rows[i].posix);
    }
}

/* --- whatever the expression, a subject that matches has a text of each set ------ */

enum { ROUNDS = 10000, EXPRESSION = 200, SUBJECT = 12 };

static unsigned random_below(uint64_t *seed, unsigned limit)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*seed >> 33) % limit;
}

/* A random expression of the pieces that expressions are made of, mostly well formed.
 */
static void add_random(uint64_t *seed, struct str *out, unsigned depth)
{
    static const char *const atoms[] = {
        "a",   "b",    "B",  "c", ".", "[ab]", "[^c]",   "^",   "$",  "ab", "\\.",
        "\\w", "[]b]", "bc", "A", "b", "cab",  "[\\]a]", "\\b", "{1", "a"};
    static const char *const quantifiers[] = {
        "",      "",     "",   "",   "*",      "+",    "?",  "{2}", "{0}",
        "{0,1}", "{1,}", "+?", "*?", "{2}{0}", "{2}?", "++", "{,2}"};
    unsigned pieces = 1 + random_below(seed, 4);
    for (unsigned i = 0; i < pieces; i++) {
        if (depth < 3 && random_below(seed, 4) == 0) {
            static const char *const opens[] = {"(",   "(?:",  "(",    "(?i)",
                                                "(?=", "(?!a", "(?<!", "(?>"};
            const char *open = opens[random_below(seed, ARRAY_SIZE(opens))];
            str_add_cstr(out, open);
            if (strcmp(open, "(?i)") == 0) {
                continue;
            }
            add_random(seed, out, depth + 1);
            str_add_cstr(out, ")");
        } else {
            str_add_cstr(out, atoms[random_below(seed, ARRAY_SIZE(atoms))]);
        }
        str_add_cstr(out, quantifiers[random_below(seed, ARRAY_SIZE(quantifiers))]);
        str_add_cstr(out, random_below(seed, 6) == 0 ? "|" : "");
    }
}

static bool has_text(const struct literal_set *set, const char *subject)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcasestr(subject, set->texts[i].ptr) != NULL) {
            return true;
        }
    }
    return false;
}

/* How many subjects matched. */
static size_t try_subjects(const struct pattern_expr *expr, const char *expression,
                           const struct literal_set *sets, uint64_t *seed)
{
    size_t matched = 0;
    for (int i = 0; i < 20; i++) {
        char subject[SUBJECT + 1] = "";
        unsigned len = random_below(seed, SUBJECT);
        for (unsigned k = 0; k < len; k++) {
            subject[k] = "abcABC.{]"[random_below(seed, 9)];
        }
        struct view groups[1];
        char reason[PATTERN_REASON] = "";
        if (!expr->engine->match(expr, view_cstr(subject), groups, 1, reason,
                                 sizeof(reason))) {
            continue;
        }
        matched++;
        for (const struct literal_set *set = sets; set != NULL; set = set->next) {
            if (!has_text(set, subject)) {
                fail_msg("/%s/ matches \"%s\" without %.*s", expression, subject,
                         VIEW_ARG(set->texts[0]));
            }
        }
    }
    return matched;
}

static void try_engine(struct bench *bench, const struct pattern_engine *engine)
{
    uint64_t seed = 7;
    size_t known = 0, matched = 0;
    for (int i = 0; i < ROUNDS; i++) {
        STR_AUTO struct str expression = {0};
        add_random(&seed, &expression, 0);
        struct pattern_text text = {.body = str_ptr(&expression)};
        struct pattern_expr expr = {0};
        if (expression.len > EXPRESSION ||
            !engine->parse_options(VIEW(""), "test", &text.flags) ||
            !engine->compile(bench->conf, &text, "test", &expr)) {
            continue;
        }
        struct arena arena = {0};
        const struct literal_set *sets = literal_sets(&arena, text.body, expr.syntax);
        known += sets != NULL;
        matched += try_subjects(&expr, text.body, sets, &seed);
        arena_clear(&arena);
        pattern_expr_free(&expr);
    }
    assert_true(known > ROUNDS / 20);
    assert_true(matched > ROUNDS);
    free(bench_take(bench)); /* expressions that are not well formed */
}

static void test_promise(void **state)
{
    (void)state;
    struct bench *bench = bench_new("regexp_table_fallback =");
    try_engine(bench, &pattern_pcre);
    try_engine(bench, &pattern_posix);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_syntaxes),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
