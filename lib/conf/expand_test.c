/* SPDX-License-Identifier: MIT */
#include "conf/expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "testing/test.h"

/* What a body of main.cf would define. */
static const char *lookup(void *context, const char *name)
{
    static const char *const values[][2] = {
        {"n", "10"},          {"empty", ""},      {"full", "yes"},
        {"sp", "a b"},        {"indirect", "$n"}, {"circle", "${{$circle} < {9}}"},
        {"hollow", "$empty"}, {"loop", "$loop"},  {"dollar", "x$$y"},
        {"double", "$$$n"},   {"t1", "$t2$t2"},   {"t2", "$t3$t3"},
        {"level", "3.6"},
    };
    (void)context;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (strcmp(values[i][0], name) == 0) {
            return values[i][1];
        }
    }
    return NULL;
}

struct heard {
    char text[1000];
};

static void hear(void *context, const char *message)
{
    struct heard *heard = context;
    size_t used = strlen(heard->text);
    (void)snprintf(heard->text + used, sizeof(heard->text) - used, "%s%s",
                   used > 0 ? "|" : "", message);
}

struct example {
    const char *text, *expected;
};

static void check_good(const struct example *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        STR_AUTO struct str out = {0};
        struct heard heard = {""};
        const struct expand_calls calls = {.lookup = lookup,
                                           .report = hear,
                                           .report_context = &heard,
                                           .recurse = true};
        bool good = expand_text(&calls, view_cstr(cases[i].text), &out);
        if (!good || strcmp(str_ptr(&out), cases[i].expected) != 0) {
            fail_msg("%s gives \"%s\" (%s), not \"%s\"", cases[i].text, str_ptr(&out),
                     heard.text, cases[i].expected);
        }
    }
}

static void test_names(void **state)
{
    static const struct example cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"${full}x$(full)y$full.z", "yesxyesyyes.z"},
        {"$full-x $nope.", "yes-x ."},
        {"$$full $$$full", "$full $yes"},
        {"${ full }", "yes"},
        {"$indirect $hollow|", "10 |"},
        {"$dollar $double", "x$y $10"},
        {"a}b{c)", "a}b{c)"},
    };
    (void)state;
    check_good(cases, ARRAY_SIZE(cases));
}

static void test_conditionals(void **state)
{
    static const struct example cases[] = {
        {"${full?on}${full:off}", "on"},
        {"${empty?on}${empty:off}", "off"},
        {"${nope?on}${nope:off}", "off"},
        {"${full?{is on}:{is off}}", "is on"},
        {"${empty?{is on}:{is off}}", "is off"},
        {"${full ? {a} : {b}}", "a"},
        {"${empty ? {a} : b }", " b "},
        {"${full?a b }|", "a b |"},
        {"${full?{ a b }}|", " a b |"},
        {"${full??a}", "?a"},
        {"${empty?{x}:}|", "|"},
        {"$(full?{a b}:{c})", "a b"},
        {"$(full?a(b)c)", "a(b)c"},
        {"${full?a(b}c)", "a(bc)"},
        {"${full?${empty:{$n}}}", "10"},
        {"${full?{$sp}:{}}", "a b"},
        {"${full?{$${x}}}", "${x}"},
        /* the text decides, not what it expands to */
        {"${hollow?{yes}:{no}}", "yes"},
    };
    (void)state;
    check_good(cases, ARRAY_SIZE(cases));
}

static void test_comparisons(void **state)
{
    static const struct example cases[] = {
        {"${{$n} == {10}}", "true"},
        {"${{$n} == {11}}|", "|"},
        {"${{$n} == {10} ? {x}}${{$n} == {11} ? {y}}", "x"},
        {"${{$n} == {11} : {x}}", "x"},
        {"${{$n}=={10}?{x}:{y}}", "x"},
        {"${{$n} != {10} ? {x} : {y}}", "y"},
        {"${{3} < {12} ? {x} : {y}}", "x"},
        {"${{3a} < {12} ? {x} : {y}}", "y"},
        {"${{abc} < {abd} ? {x} : {y}}", "x"},
        {"${{ a } == {a} ? {x} : {y}}", "y"},
        {"${{} == {} ? {x} : {y}}", "x"},
        {"${{007} == {7}}", "true"},
        {"${{99999999999999999999998} < {99999999999999999999999}}", "true"},
        {"${{a}>={a} ?{x}} ${{a}>{a}:{y}} ${{a}<={b}} ${{b}<={a}}|", "x y true |"},
        {"${{$dollar} == {x$$y}}", "true"},
        {"${{1} <level {2} ? {x} : {y}}", "x"},
        {"${{1.2} <level {1.10} ? {x} : {y}}", "x"},
        {"${{1} ==level {1.0.0} ? {x} : {y}}", "x"},
        {"${{$level} >=level {3.6.1} ? {new} : {old}}", "old"},
        {"${{3}>=level{2}?{x}}", "x"},
    };
    (void)state;
    check_good(cases, ARRAY_SIZE(cases));
}

static void test_functions(void **state)
{
    static const struct example cases[] = {
        {"${domain_to_ascii{B\xc3\xbc"
         "cher.Example}}",
         "xn--bcher-kva.example"},
        {"${domain_to_ascii{Mail.Example}}", "Mail.Example"},
        {"${ domain_to_ascii { $full } }", "yes"},
        {"${domain_to_utf8{xn--bcher-kva.example}}", "b\xc3\xbc"
                                                     "cher.example"},
        {"${domain_to_ascii{${domain_to_utf8{xn--bcher-kva}}}}", "xn--bcher-kva"},
        {"${domain_to_ascii}|", "|"},
        {"$domain_to_ascii{x}", "{x}"},
    };
    (void)state;
    check_good(cases, ARRAY_SIZE(cases));
}

static void test_mistakes(void **state)
{
    static const struct example cases[] = {
        {"[$]", "empty macro name: \"[$]\""},
        {"[$.]", "empty macro name: \"[$.]\""},
        {"[${}]", "empty macro name: \"[${}]\""},
        {"[${ }]", "empty macro name: \"[${ }]\""},
        {"[${full]", "truncated macro reference: \"[${full]\""},
        {"$full$(", "truncated macro reference: \"$full$(\""},
        {"${full x}", "attribute name syntax error at: \"...full>>> x\""},
        {"${a-b}", "attribute name syntax error at: \"...a>>>-b\""},
        {"${$n == 10 ? {x} : {y}}",
         "attribute name syntax error at: \"...>>>$n == 10 ? {x} : {y}\""},
        {"${full?{x}y}", "\":\" expected at: \"...x}>>>y\""},
        {"${empty?{x} {y}}", "\":\" expected at: \"...x}>>>{y}\""},
        {"${empty:{x}:{y}}", "unexpected input at: \"...x}>>>:{y}\""},
        {"${full?{a}:{b}c}", "unexpected input at: \"...b}>>>c\""},
        {"${{$n} = {10}?{x}:{y}}",
         "\"==\" or \"!=\"\" or \"<\"\" or \"<=\"\" or \">=\"\" or \">\" expected at: "
         "\"...$n}>>>= {10}?{x}:{y}\""},
        {"${{$n} == 10 ? {x} : {y}}",
         "\"{expression}\" expected at: \"...{$n} ==>>> 10 ? {x} : {y}\""},
        {"${{3} <levelx {2}?{x}}", "bad operator suffix at: \"...<>>>levelx\""},
        {"${{a} == {a}x}", "\"?\" or \":\" expected at: \"...}>>>x\""},
        {"$(full?{a)b})", "unbalanced {} in attribute expression: \"{a\""},
        {"${{a} <level {1}}", "malformed compatibility level syntax: \"a\""},
        {"${{1.2.3.4} <level {1}}",
         "malformed compatibility level syntax: \"1.2.3.4\""},
        {"${{1.} <level {1}}", "malformed compatibility level syntax: \"1.\""},
        {"$circle", "unreasonable macro call nesting: \"$circle\""},
        {"${nosuch{x}}", "unknown function \"nosuch\" at \"...>>>nosuch{x}\""},
        {"${domain_to_ascii{x}y}", "unexpected input at: \"...x}>>>y\""},
        {"${domain_to_ascii{$empty}}", "bad domain argument in: 'domain_to_ascii{}'"},
        {"$loop", "unreasonable macro call nesting: \"loop\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        STR_AUTO struct str out = {0};
        struct heard heard = {""};
        const struct expand_calls calls = {.lookup = lookup,
                                           .report = hear,
                                           .report_context = &heard,
                                           .recurse = true};
        assert_false(expand_text(&calls, view_cstr(cases[i].text), &out));
        assert_string_equal(heard.text, cases[i].expected);
    }
}

static const char *doubling(void *context, const char *name)
{
    (void)context;
    (void)name;
    return "$x$x";
}

/* Each level twice the one above: stopped by the number of steps, not by memory. */
static void test_bounded(void **state)
{
    (void)state;
    STR_AUTO struct str out = {0};
    const struct expand_calls calls = {.lookup = doubling, .recurse = true};
    assert_false(expand_text(&calls, VIEW("$x"), &out));
}

static void test_values_are_data(void **state)
{
    (void)state;
    STR_AUTO struct str out = {0};
    const struct expand_calls calls = {.lookup = lookup};
    assert_true(expand_text(&calls, VIEW("$indirect ${n?{$hollow}}"), &out));
    assert_string_equal(str_ptr(&out), "$n $empty");
}

static void collect(void *context, struct view name)
{
    str_add(context, name);
    str_add_byte(context, ' ');
}

static void test_scan(void **state)
{
    (void)state;
    STR_AUTO struct str names = {0};
    assert_true(expand_scan(VIEW("$a ${b?{$c}:{${d:$e}}} ${{$f} == {$g} ? {$h} : {$i}} "
                                 "$$j"),
                            collect, NULL, &names));
    assert_string_equal(str_ptr(&names), "a b c d e f g h i ");
    str_clear(&names);
    assert_true(expand_scan(VIEW("${domain_to_utf8{$k}}"), collect, NULL, &names));
    assert_string_equal(str_ptr(&names), "k ");
    assert_false(expand_scan(VIEW("$a ${b"), collect, NULL, &names));
    assert_false(expand_scan(VIEW("${nosuch{$k}}"), collect, NULL, &names));
}

/* Truncated anywhere: an answer or a report, and no byte read outside. */
static void test_truncated(void **state)
{
    static const char text[] = "${{$n} ==level {1.${x?{2}:{3}}} ? {$a$$b} : {$(c)}}";
    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        STR_AUTO struct str out = {0};
        struct heard heard = {""};
        const struct expand_calls calls = {
            .lookup = lookup, .report = hear, .report_context = &heard};
        char *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        bool good = expand_text(&calls, view_of(copy, len), &out);
        assert_true(good == (heard.text[0] == '\0'));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_conditionals),
        cmocka_unit_test(test_comparisons), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_bounded),     cmocka_unit_test(test_values_are_data),
        cmocka_unit_test(test_scan),        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
