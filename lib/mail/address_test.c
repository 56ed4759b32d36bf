/* SPDX-License-Identifier: MIT */
/* Paths, quoting and domains; the cases were tried on a reference system. */
#include "testing/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "mail/address.h"

struct path_case {
    const char *text;
    const char *internal; /* NULL: refused */
};

static const struct path_case PATHS[] = {
    {"<a@b.example>", "a@b.example"},
    {"a@b.example", "a@b.example"},
    {" <a@b>", "a@b"},
    {"<>", ""},
    {"<a@b", NULL},
    {"[x]", "[x]"},
    {"<[x]>", "[x]"},
    {"[x@y]", NULL},
    {"<[a@b]>", NULL},
    {"<a@>", NULL},
    {"<@>", NULL},
    {"<a@b@>", "a@b"},
    {"<a@-b@>", NULL},
    {"@", NULL},
    {"<a b@c>", NULL},
    {"<a b>", NULL},
    {"<Foo a@b>", NULL},
    {"<a>b", NULL},
    {"<>x", "x"},
    {"<\"a b\"@c>", "a b@c"},
    {"\"a b\"@c", "a b@c"},
    {"\"a", NULL},
    {"<\"a@b>", NULL},
    {"<\"a\\\"b\"@c>", "a\"b@c"},
    {"<a\\b@c>", "ab@c"},
    {"<a\\@b@c>", "a@b@c"},
    {"<a\\>", NULL},
    {"a\\", "a"},
    {"<\"a@b\">", "a@b"},
    {"<\"a\"b@c>", NULL},
    {"<\"a\".\"b\"@c>", "a.b@c"},
    {"<\"a..b\"@c>", "a..b@c"},
    {"<\"\">", ""},
    {"<\"\"@x>", "@x"},
    {"<a(comment)@c>", "a@c"},
    {"<a(x(y)z)@c>", "a@c"},
    {"<a(x@c>", "a"},
    {"(x)a@b", "a@b"},
    {"a(x)", "a"},
    {"()", ""},
    {"<a@b@c>", "a@b@c"},
    {"<a@c.example.>", "a@c.example."},
    {"<a@c..>", NULL},
    {"<a@c..d>", NULL},
    {"<a@.c>", NULL},
    {"<a..b@c>", "a..b@c"},
    {"<@c>", "@c"},
    {"<<a@b>>", "a@b"},
    {"<a@b>>", "a@b"},
    {"a>", "a"},
    {"<a]@b>", "a]@b"},
    {"<a)@b>", "a)@b"},
    {"<a[x]@b>", NULL},
    {"<a@b[x]>", NULL},
    {"<a@[x]y>", NULL},
    {"<[x]@b>", "[x]@b"},
    {"<@a,@b:c@d>", "c@d"},
    {"<@a:@b:c@d>", "@b:c@d"},
    {"<@a@b:c@d>", "c@d"},
    {"<@a:c>", "c"},
    {"<@a,@b,c@d>", NULL},
    {"<@a;c>", NULL},
    {"<a:b@c>", "a:b@c"},
    {"<:a@b>", ":a@b"},
    {"a@b:", NULL},
    {"<grp: a@b;>", "a@b"},
    {"<grp: a@b>", "grp:a@b"},
    {"<grp:;>", ""},
    {"<grp:a@b,c@d;>", NULL},
    {"<a;>", "a"},
    {"<a@b,,>", "a@b"},
    {"a@b,", "a@b"},
    {",a", "a"},
    {"<a,b>", NULL},
    {"a;b", NULL},
    {"<a@b,c>", NULL},
    {"Foo<a@b>", "a@b"},
    {"\"Foo Bar\"<a@b>", "a@b"},
    {"<a@b>(x)", "a@b"},
    {"<a @ b>", "a@b"},
    {"<a@b . c>", "a@b.c"},
    {"<a@b c>", NULL},
    {"<a@[127.0.0.1]>", "a@[127.0.0.1]"},
    {"<a@[1.2.3]>", NULL},
    {"<a@[]>", NULL},
    {"<a@[ipv6:::1]>", "a@[ipv6:::1]"},
    {"<a@[::1]>", NULL},
    {"<a@[1.2.3.4>", "a@[1.2.3.4]"},
    {"<a@[x>", NULL},
    {"<a@1.2.3.4>", NULL},
    {"<a@1>", NULL},
    {"<a@\"b\">", "a@b"},
    {"<a@b.c-.d>", NULL},
    {"<a@-b>", NULL},
    {"<a@b_>", "a@b_"},
    {"<a@*>", NULL},
    {"<a@b\001c>", NULL},
    {"<a\tb@c>", NULL},
    {"<\"a\tb\"@c>", "a\tb@c"},
    {"<\xc3\xbc@b>", "\xc3\xbc@b"},
    {"<a!b>", "a!b"},
    {"<a'b{c@d>", "a'b{c@d"},
};

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++) {
        STR_AUTO struct str internal = {0};
        struct view rest;
        bool ok = address_parse_path(view_cstr(PATHS[i].text), false, &internal, &rest);
        if (ok != (PATHS[i].internal != NULL) ||
            (ok && strcmp(str_ptr(&internal), PATHS[i].internal) != 0)) {
            fail_msg("%s: %s", PATHS[i].text, ok ? str_ptr(&internal) : "refused");
        }
        assert_true(!ok || rest.len == 0);
    }
}

static void test_strict_paths(void **state)
{
    (void)state;
    static const struct path_case CASES[] = {
        {"a@b", NULL},
        {"<a@b>", "a@b"},
        {" <a@b>", "a@b"},
        {"<Someone <a@b>>", NULL},
        {"<a(x)@b>", NULL},
        {"<@c>", NULL},
        {"<\"\"@c>", NULL},
        {"<>", ""},
        {"<a@b,>", NULL},
        {"<grp:a@b;>", NULL},
        {"<@a,@b:c@d>", "c@d"},
        {"<a@b>(x)", NULL},
        {"<\"a b\"@c>", "a b@c"},
        {"<a@ b>", "a@b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        STR_AUTO struct str internal = {0};
        struct view rest;
        bool ok = address_parse_path(view_cstr(CASES[i].text), true, &internal, &rest);
        if (ok != (CASES[i].internal != NULL) ||
            (ok && strcmp(str_ptr(&internal), CASES[i].internal) != 0)) {
            fail_msg("%s: %s", CASES[i].text, ok ? str_ptr(&internal) : "refused");
        }
    }
}

static void test_path_rest(void **state)
{
    (void)state;
    static const struct {
        const char *text, *internal, *rest;
    } CASES[] = {
        {"<a@b> SIZE=10 BODY=7BIT", "a@b", "SIZE=10 BODY=7BIT"},
        {"a b", "a", "b"},
        {"\"a b\"@c  X ", "a b@c", "X"},
        {"<a@b>, <c@d>", "a@b", "<c@d>"},
        {"a@b;\tc", "a@b", "c"},
        {"Foo Bar <a@c>", "Foo", "Bar <a@c>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        STR_AUTO struct str internal = {0};
        struct view rest;
        assert_true(
            address_parse_path(view_cstr(CASES[i].text), false, &internal, &rest));
        assert_string_equal(str_ptr(&internal), CASES[i].internal);
        assert_view_equal(rest, CASES[i].rest);
    }
}

static void test_quote(void **state)
{
    (void)state;
    static const struct {
        const char *internal, *external;
    } CASES[] = {
        {"", ""},
        {"a@b", "a@b"},
        {"a", "a"},
        {"a b@c", "\"a b\"@c"},
        {"a@b@c", "\"a@b\"@c"},
        {".a@c", "\".a\"@c"},
        {"a.@c", "\"a.\"@c"},
        {"a..b@c", "\"a..b\"@c"},
        {"@c", "\"\"@c"},
        {"[x]", "\"[x]\""},
        {"a\"b\\c@d", "\"a\\\"b\\\\c\"@d"},
        {"a:b@c", "\"a:b\"@c"},
        {"\xc3\xbc@b", "\xc3\xbc@b"},
        {"a/b+c=d'e{f@g", "a/b+c=d'e{f@g"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        STR_AUTO struct str out = {0};
        STR_AUTO struct str back = {0};
        address_quote(view_cstr(CASES[i].internal), &out);
        assert_string_equal(str_ptr(&out), CASES[i].external);
        assert_true(address_unquote(str_view(&out), &back));
        assert_string_equal(str_ptr(&back), CASES[i].internal);
    }
}

static void test_split(void **state)
{
    (void)state;
    struct address_parts parts = address_split(VIEW("a@b@c"));
    assert_view_equal(parts.local, "a@b");
    assert_view_equal(parts.domain, "c");
    assert_true(parts.has_domain);
    parts = address_split(VIEW("a"));
    assert_view_equal(parts.local, "a");
    assert_false(parts.has_domain);
    parts = address_split(VIEW("a@"));
    assert_view_equal(parts.domain, "");
    assert_true(parts.has_domain);
}

static void test_extension(void **state)
{
    (void)state;
    static const struct {
        const char *local, *delimiters, *user, *extension; /* user NULL: none */
    } CASES[] = {
        {"ken+list", "+", "ken", "list"},   {"ken+a+b", "+", "ken", "a+b"},
        {"ken+", "+", "ken", ""},           {"+ken", "+", NULL, NULL},
        {"ken", "+", NULL, NULL},           {"ken-x+y", "+-", "ken", "x+y"},
        {"ken-x+y", "+", "ken-x", "y"},     {"owner-list", "-", NULL, NULL},
        {"list-request", "-", NULL, NULL},  {"MAILER-DAEMON", "-", NULL, NULL},
        {"double-bounce", "-", NULL, NULL}, {"ken+x", "", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct view user, extension;
        bool has = address_split_extension(view_cstr(CASES[i].local),
                                           CASES[i].delimiters, &user, &extension);
        assert_int_equal(has, CASES[i].user != NULL);
        assert_view_equal(user, has ? CASES[i].user : CASES[i].local);
        assert_view_equal(extension, has ? CASES[i].extension : "");
    }
}

static void test_hostnames(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"a",   "a.b", "a-b.c", "1a",
                                       "a.1", "a_b", "xn--a"};
    static const char *const BAD[] = {"",          ".",         "a.", ".a",  "a..b",
                                      "-a",        "a-",        "1",  "1.2", "a b",
                                      "a\xc3\xbc", "[1.2.3.4]", "a*"};
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        assert_true(address_valid_hostname(view_cstr(GOOD[i])));
    }
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        assert_false(address_valid_hostname(view_cstr(BAD[i])));
    }
    char name[300];
    memset(name, 'a', sizeof(name));
    assert_true(address_valid_hostname(view_of(name, 63)));
    assert_false(address_valid_hostname(view_of(name, 64)));
    for (size_t i = 50; i < sizeof(name); i += 50) {
        name[i] = '.';
    }
    assert_true(address_valid_hostname(view_of(name, 255)));
    assert_false(address_valid_hostname(view_of(name, 256)));
}

static void test_fold(void **state)
{
    (void)state;
    STR_AUTO struct str out = {0};
    address_fold_domain(VIEW("Ken@Example.ORG"), &out);
    assert_string_equal(str_ptr(&out), "Ken@example.org");
}

/* A megabyte of anything must end, soon. */
static void test_long_input(void **state)
{
    (void)state;
    static const char BYTES[] = "<(\"[\\,@. a";
    size_t len = 1 << 20;
    char *text = xmalloc(len);
    for (size_t i = 0; i < sizeof(BYTES) - 1; i++) {
        memset(text, BYTES[i], len);
        STR_AUTO struct str out = {0};
        struct view rest;
        (void)address_parse_path(view_of(text, len), false, &out, &rest);
        str_clear(&out);
        (void)address_unquote(view_of(text, len), &out);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),      cmocka_unit_test(test_strict_paths),
        cmocka_unit_test(test_path_rest),  cmocka_unit_test(test_quote),
        cmocka_unit_test(test_split),      cmocka_unit_test(test_extension),
        cmocka_unit_test(test_hostnames),  cmocka_unit_test(test_fold),
        cmocka_unit_test(test_long_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
