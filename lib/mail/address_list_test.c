/* SPDX-License-Identifier: MIT */
/* Address lists: addresses in brackets in the expectation, everything else as it was.
 */
#include "testing/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "mail/address.h"

static void show(struct view value, struct str *out)
{
    struct arena arena = {0};
    struct address_token *tokens;
    size_t count = address_list_parse(&arena, value, &tokens);
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].is_address) {
            str_add_byte(out, '{');
            str_add(out, tokens[i].address);
            str_add_byte(out, '}');
        } else {
            str_add(out, tokens[i].text);
        }
    }
    arena_clear(&arena);
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *value, *expected;
    } CASES[] = {
        {"", ""},
        {" a", " {a}"},
        {" a ", " {a} "},
        {"a, b", "{a}, {b}"},
        {"a b", "{a}, {b}"},
        {"a b@c", "{a}, {b@c}"},
        {"a@b,\n\tc@d", "{a@b},\n\t{c@d}"},
        {"\"Foo Bar\" <a@b>", "\"Foo Bar\" <{a@b}>"},
        {"Foo \t Bar   <a>", "Foo \t Bar   <{a}>"},
        {"Mr. X <a>", "Mr. X <{a}>"},
        {"a (comment)", "{a} (comment)"},
        {"(c) a (d)", "(c) {a} (d)"},
        {"a (x) @ b", "{a@b} (x)"},
        {"<a> <b>", "<{a}> <{b}>"},
        {"a <b> c", "a <{b}>, {c}"},
        {"<>", "<{}>"},
        {"<> x", "<{}>, {x}"},
        {"grp: a, b;", "grp: {a}, {b};"},
        {"undisclosed-recipients:;", "undisclosed-recipients:;"},
        {"g:a;,h: b <c>;", "g:{a};,h: b <{c}>;"},
        {"a;", "{a};"},
        {"a:b", "{a:b}"},
        {"\"a b\"", "{a b}"},
        {"\"x, y\" <a>, b", "\"x, y\" <{a}>, {b}"},
        {"\"unclosed", "{unclosed}"},
        {"a (unclosed", "{a} (unclosed"},
        {"a@b, , c", "{a@b}, , {c}"},
        {" , a", " , {a}"},
        {"<@r1:a@b>", "<{a@b}>"},
        {"a @ b.example", "{a@b.example}"},
        {"a@[1.2.3.4]", "{a@[1.2.3.4]}"},
        {"Foo [x] <a>", "Foo [x] <{a}>"},
        {"Foo & Bar, Inc. <a>", "{Foo}, {&}, {Bar}, Inc. <{a}>"},
        {"=?utf-8?b?44GC?= <a>", "=?utf-8?b?44GC?= <{a}>"},
        {"Foo <  a  >", "Foo <{a}>"},
        {"(only comment)", "(only comment)"},
        {"a,b", "{a},{b}"},
        {"\"a\\\\\" <b>", "\"a\\\\\" <{b}>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        STR_AUTO struct str out = {0};
        show(view_cstr(CASES[i].value), &out);
        assert_string_equal(str_ptr(&out), CASES[i].expected);
    }
}

static void test_long_lists(void **state)
{
    (void)state;
    static const char BYTES[] = "<>(\"[\\,@.: ;a";
    size_t len = 1 << 20;
    char *text = xmalloc(len);
    for (size_t i = 0; i < sizeof(BYTES) - 1; i++) {
        memset(text, BYTES[i], len);
        STR_AUTO struct str out = {0};
        show(view_of(text, len), &out);
        for (size_t at = 1; at < len; at += 2) {
            text[at] = ':';
        }
        str_clear(&out);
        show(view_of(text, len), &out);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_long_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
