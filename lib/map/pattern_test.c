/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

/* What Postfix's postmap -q says about the same tables. */
struct table_case {
    const char *text, *key, *answer, *log;
};

static void check_tables(const char *type, const struct table_case *cases, size_t count,
                         unsigned flags)
{
    struct bench *bench = bench_new("regexp_table_fallback =");
    for (size_t i = 0; i < count; i++) {
        test_write_file(bench->directory, "r", cases[i].text);
        struct map *map = bench_open_file(bench, type, "r", flags);
        assert_null(map_open_error(map));
        assert_string_equal(bench_ask(bench, map, cases[i].key), cases[i].answer);
        assert_log(bench, cases[i].log);
        assert_true(map_is_pattern(map));
        map_close(&map);
    }
    bench_free(bench);
}

#define R(n) "warning: regexp map D/r, line " #n ": "
#define P(n) "warning: pcre map D/r, line " #n ": "

static void test_matching(void **state)
{
    (void)state;
    static const struct table_case cases[] = {
        {"/^([^@]+)-bounce@(.*)$/  $1@$2\n", "Joe-bounce@example.org",
         "Joe@example.org", ""},
        {"/x/ a\n b\n\n  c\n# com\n   d\n/y/ e\n", "x", "a b  c   d", ""},
        {"/x/ a\n/y/ e\n", "Y", "e", ""},
        {"/x/i a\n", "X", "(missing)", ""},
        {"/x/ii a\n", "X", "a", ""},
        {"!/x/ a\n", "y", "a", ""},
        {"!/x/ a\n", "x", "(missing)", ""},
        {"! /x/ a\n", "y", "a", ""},
        {"!!/x/ a\n", "x", "a", ""},
        {"/(a)(b)?@/ [$1][$2] cost $$5 ${1}x $(1)y\n", "a@", "[a][] cost $5 ax ay", ""},
        {"/(x)|(y)/ [$1][$2]\n", "y", "[][y]", ""},
        {"/(((((((((((x)))))))))))/ $11\n", "x", "x", ""},
        {"|a/b| bar\n", "xa/by", "bar", ""},
        {"/a\\/b/ slash\n", "a/b", "slash", ""},
        {"// empty\n", "", "empty", ""},
        {"/^.$/ one\n", "\xc3\xa9", "(missing)", ""},
        {"/\xc3\xa9/ e\n", "x\xc3\xa9y", "e", ""},
        {"/\xff\xfe/ e\n", "\xff\xfe", "e", ""},
        {"if /^sales/\n/-eu@/ eu\nendif\n/us/ us\n", "sales-us@", "us", ""},
        {"if !/x/\n/y/ ny\nendif\n", "y", "ny", ""},
        {"if /a/\nif /b/\n/c/ abc\nendif\n/d/ ad\nendif\n/e/ e\n", "abc", "abc", ""},
        {"if /a/\nif /b/\n/c/ abc\nendif\n/d/ ad\nendif\n/e/ e\n", "adc", "ad", ""},
        {"if /a/\nif /b/\n/c/ abc\nendif\n/d/ ad\nendif\n/e/ e\n", "bcde", "e", ""},
        {"IF/a/\n/c/ v\nENDIF\n", "ac", "v", ""},
    };
    check_tables("regexp", cases, ARRAY_SIZE(cases), 0);
    check_tables("pcre", cases, ARRAY_SIZE(cases), MAP_FOLD);
}

static void test_regexp_mistakes(void **state)
{
    (void)state;
    static const struct table_case cases[] = {
        {"/unclosed(/ a\n/x/ b\n", "x", "b", R(1) "Unmatched ( or \\(\n"},
        {"/x/q a\n", "x", "(missing)",
         R(1) "unknown regexp option \"q\": skipping this rule\n"},
        {"no delimiters\n", "x", "(missing)", R(1) "ignoring unrecognized request\n"},
        {"a/x/ v\n", "x", "(missing)", R(1) "ignoring unrecognized request\n"},
        {"/one(two)/ $2\n", "onetwo", "(missing)",
         R(1) "out of range replacement index \"2\": skipping this rule\n"},
        {"/x/\n", "x", "", R(1) "no replacement text: using empty string\n"},
        {"/x/val\n", "x", "(missing)",
         R(1) "unknown regexp option \"v\": skipping this rule\n"},
        {"/x v\n", "x", "(missing)",
         R(1) "no closing regexp delimiter \"/\": skipping this rule\n"},
        {"endif\nif /x/\nif /y/\n", "x", "(missing)",
         R(1) "ignoring ENDIF without matching IF\n" R(
             3) "IF has no matching ENDIF\n" R(2) "IF has no matching ENDIF\n"},
        {"if /open/\n/ok/ fine\n", "ok", "(missing)",
         R(1) "IF has no matching ENDIF\n"},
        {"if\n/y/ v\nendif\n", "y", "v",
         R(1) "no regexp: skipping this rule\n" R(
             3) "ignoring ENDIF without matching IF\n"},
        {"if /(/\n/y/ v\nendif\n", "y", "v",
         R(1) "Unmatched ( or \\(\n" R(3) "ignoring ENDIF without matching IF\n"},
        {"if /x/ junk\n/x/ y\nendif junk\n", "x", "y",
         R(1) "ignoring extra text after IF statement: \"junk\"\n" R(
             1) "do not prepend whitespace to statements between IF and "
                "ENDIF\n" R(3) "ignoring extra text after ENDIF\n"},
        {"/x/ val $0 $a $\n", "x", "(missing)",
         R(1) "out-of-range replacement index \"0\"\n" R(
             1) "non-numeric replacement index \"a\"\n"
                "warning: empty macro name: \"val $0 $a $\"\n" R(
                    1) "bad replacement syntax: skipping this rule\n"},
        {"/(x)/ ${1 ok\n", "x", "(missing)",
         "warning: truncated macro reference: \"${1 ok\"\n" R(
             1) "bad replacement syntax: skipping this rule\n"},
        {"/(x)/ $1a\n", "x", "(missing)",
         R(1) "non-numeric replacement index \"1a\"\n" R(
             1) "bad replacement syntax: skipping this rule\n"},
        {"/(x)/ ${}\n", "x", "(missing)",
         "warning: empty macro name: \"${}\"\n" R(
             1) "bad replacement syntax: skipping this rule\n"},
        {"/(x)/ $999999999999999999999\n", "x", "(missing)",
         R(1) "out-of-range replacement index \"999999999999999999999\"\n" R(
             1) "bad replacement syntax: skipping this rule\n"},
        {"!/(x)/ $1\n", "y", "(missing)",
         R(1) "$number found in negative match replacement text: skipping this "
              "rule\n"},
        {"/(?!^root$|^okumura$)^.*$/ okumura\n", "x", "(missing)",
         R(1) "Invalid preceding regular expression\n"},
        {"/x/!/y/ v\n", "x", "v", ""},
        {"/x/!/y/ v\n", "xy", "(missing)", ""},
        {"/(x)/!/y/ v$1\n", "x", "vx", ""},
        {"/x/i! v\n", "x", "(missing)",
         R(1) "no closing regexp delimiter \"v\": skipping this rule\n"},
    };
    check_tables("regexp", cases, ARRAY_SIZE(cases), 0);
}

static void test_pcre(void **state)
{
    (void)state;
    static const struct table_case cases[] = {
        {"/^(?!root$|admin$)(\\w+)$/ dev-$1\n", "alice", "dev-alice", ""},
        {"/^(?!root$|admin$)(\\w+)$/ dev-$1\n", "root", "(missing)", ""},
        {"/a.b/ v\n", "a\nb", "v", ""},
        {"/a.b/s v\n", "a\nb", "(missing)", ""},
        {"/^b$/m v\n", "a\nb\nc", "v", ""},
        {"/b/A v\n", "ab", "(missing)", ""},
        {"/b$/E v\n", "b\n", "(missing)", ""},
        {"/b$/ v\n", "b\n", "v", ""},
        {"/(b+)/U v$1\n", "bbb", "vb", ""},
        {"/a b # c/x v\n", "ab", "v", ""},
        {"/a/X v\n", "a", "v", P(1) "ignoring obsolete regexp option \"X\"\n"},
        {"/(/ v\n", "a", "(missing)",
         P(1) "error in regex at offset 1: missing closing parenthesis\n"},
        {"/(a) v\n", "a", "(missing)",
         P(1) "no closing regexp delimiter \"/\": ignoring this rule\n"},
        {"/(a)/ $0\n", "a", "(missing)",
         P(1) "out of range replacement index \"0\"\n" P(
             1) "bad replacement syntax: skipping this rule\n"},
        {"/x/!/y/ v\n", "x", "(missing)",
         P(1) "unknown regexp option \"!\": skipping this rule\n"},
        {"/^(a+)+$/ v\n/b/ w\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "w",
         P(1) "match limit exceeded\n"},
    };
    check_tables("pcre", cases, ARRAY_SIZE(cases), 0);
}

/* alias_maps: what an attacker puts into an address must not become a command. */
static void test_no_regsub(void **state)
{
    (void)state;
    static const struct table_case cases[] = {
        {"/(x)/ $1\n/x/ plain\n", "x", "plain",
         R(1) "regular expression substitution is not allowed: skipping this rule\n"},
        {"/x/ a$$b\n", "x", "a$b", ""},
    };
    check_tables("regexp", cases, ARRAY_SIZE(cases), MAP_NO_REGSUB);
}

/* A look-ahead in a regexp: table, as how-to documents have it. */
static void test_fallback(void **state)
{
    (void)state;
    struct bench *bench = bench_new("regexp_table_fallback = pcre");
    test_write_file(bench->directory, "r",
                    "/(?!^root$|^okumura$)^.*$/ okumura\n/(?!x)(a.)$/i two-$1\n");
    struct map *map = bench_open_file(bench, "regexp", "r", 0);
    assert_log(bench,
               "regexp map D/r, line 1: not a POSIX expression (Invalid preceding "
               "regular expression), using PCRE2 for it\n"
               "regexp map D/r, line 2: not a POSIX expression (Invalid preceding "
               "regular expression), using PCRE2 for it\n");
    assert_string_equal(bench_ask(bench, map, "anybody"), "okumura");
    assert_int_equal(map_last_origin(map).line, 1);
    assert_string_equal(bench_ask(bench, map, "root"), "(missing)");
    assert_string_equal(bench_ask(bench, map, "ROOT"), "(missing)");
    assert_int_equal(map_last_origin(map).line, 0);
    assert_log(bench, "");
    map_close(&map);

    test_write_file(bench->directory, "s", "/(?<x/ v\n");
    map = bench_open_file(bench, "regexp", "s", 0);
    assert_log(bench, "warning: regexp map D/s, line 1: Invalid preceding regular "
                      "expression\n");
    map_close(&map);
    bench_free(bench);
}

static void test_origin_and_inline(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    test_write_file(bench->directory, "r", "# c\n/x/ y\n\n/z/ a\n  b\n");
    struct map *map = bench_open_file(bench, "pcre", "r", 0);
    assert_string_equal(bench_ask(bench, map, "z"), "a  b");
    assert_int_equal(map_last_origin(map).line, 4);
    assert_non_null(strstr(map_last_origin(map).file, "/r"));
    assert_false(map_changed(map));
    map_close(&map);

    map = map_open(bench->conf, VIEW("pcre:{{if /x/} {/xy/ z} {endif} {/x/ v{1}}}"), 0);
    assert_string_equal(bench_ask(bench, map, "xy"), "z");
    assert_string_equal(bench_ask(bench, map, "x"), "v{1}");
    map_close(&map);

    map = map_open(bench->conf, VIEW("regexp:{/x/ y}"), MAP_QUIET);
    assert_string_equal(map_open_error(map),
                        "regexp map: no '{' at start of text in \"/x/\"");
    map_close(&map);
    bench_free(bench);
}

/* Used often enough to be compiled to machine code, with a subject that needs a lot of
 * its stack. */
static void test_long_subject(void **state)
{
    (void)state;
    enum { BYTES = 1024 * 1024 };
    struct bench *bench = bench_new("");
    char *subject = xmalloc(BYTES + 1);
    memset(subject, 'a', BYTES);
    subject[BYTES] = '\0';
    static const char *const types[] = {"pcre", "regexp"};
    test_write_file(bench->directory, "r", "/^(a|b)*c/ long\n/^(a*)$/ short\n");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct map *map = bench_open_file(bench, types[i], "r", 0);
        for (int round = 0; round < 30; round++) {
            assert_string_equal(bench_ask(bench, map, "aaaaa"), "short");
        }
        if (i == 0) { /* POSIX expressions of glibc take minutes for this */
            assert_string_equal(bench_ask(bench, map, subject), "short");
        }
        map_close(&map);
    }
    free(subject);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),     cmocka_unit_test(test_regexp_mistakes),
        cmocka_unit_test(test_pcre),         cmocka_unit_test(test_no_regsub),
        cmocka_unit_test(test_fallback),     cmocka_unit_test(test_origin_and_inline),
        cmocka_unit_test(test_long_subject),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
