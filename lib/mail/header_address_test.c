/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "base/check.h"
#include "base/str.h"
#include "mail/header_address.h"

/* Print VALUE again with "@o.example" behind every address without a domain. */
static void reprint(const char *name, const char *value, struct str *out)
{
    struct arena arena = {0};
    struct header_addresses list;
    header_addresses_parse(&arena, view_cstr(value), 10000, &list);
    for (size_t i = 0; i < list.count; i++) {
        struct header_part *part = &list.parts[i];
        bool bare =
            part->is_address && view_index(part->address, '@') == part->address.len;
        if (bare) {
            part->address = view_cstr(
                arena_printf(&arena, "%.*s@o.example", VIEW_ARG(part->address)));
        }
    }
    str_clear(out);
    header_addresses_print(view_cstr(name), &list, out);
    arena_clear(&arena);
}

static const struct {
    const char *name, *value, *printed;
} CASES[] = {
    {"From", " joe", "From: joe@o.example"},
    {"Cc", "a12, b@x.example", "Cc: a12@o.example, b@x.example"},
    {"Errors-To", " joe (a comment here), (leading) joe2 <joe3>",
     "Errors-To: joe@o.example (a comment here),\n\t(leading) joe2 <joe3@o.example>"},
    {"To", " a, \"x, y\" <u>, group: a, b;",
     "To: a@o.example, \"x, y\" <u@o.example>, group: a@o.example,\n\tb@o.example;"},
    {"Resent-From", " list:a,b,c;, other",
     "Resent-From: list: a@o.example, b@o.example, c@o.example;,\n\tother@o.example"},
    {"Sender", " \"a b\"@host, <@r1,@r2:joe@x>", "Sender: \"a b\"@host, <joe@x>"},
    {"To", " first@e.org,\n\tsecond, third@e.org,\n    fourth@e.org",
     "To: first@e.org, second@o.example, third@e.org, fourth@e.org"},
    {"To", " a,,b,, ,c", "To: a@o.example, , b@o.example, , , c@o.example"},
    {"To", " , a", "To: , a@o.example"},
    {"From", " joe,", "From: joe@o.example, "},
    {"To", " a b@c", "To: a@o.example, b@c"},
    {"To", " a (b) c <d> e", "To: a (b) c <d@o.example>, e@o.example"},
    {"To", " a;b;c", "To: a@o.example;, b@o.example;, c@o.example"},
    {"To", " \"a\" b <c>, \"d e\" <f>",
     "To: \"a\" b <c@o.example>, \"d e\" <f@o.example>"},
    {"To", " a\\b, \"a\\\"b\", \"ab\"@c, \"a@b\"@c",
     "To: ab@o.example, \"a\\\"b\"@o.example, ab@c, \"a@b\"@c"},
    {"To", " <a>, <b> c", "To: <a@o.example>, <b@o.example>, c@o.example"},
    {"To", " a@b (x (nested) y), c", "To: a@b (x (nested) y), c@o.example"},
    {"To", " Dr. Who <joe>, a/b <joe>",
     "To: Dr.Who <joe@o.example>, a/b <joe@o.example>"},
    {"To", " joe@[1.2.3.4], #123", "To: joe@[1.2.3.4], #123@o.example"},
    {"To", " caf\xc3\xa9 <joe>", "To: caf\xc3\xa9 <joe@o.example>"},
    {"To", " <joe> (c), Joe <joe> (d)",
     "To: <joe@o.example>(c), Joe <joe@o.example>(d)"},
    {"To", " (c) joe, joe(c), joe (c)(d)",
     "To: joe@o.example (c), joe@o.example (c), joe@o.example (c) (d)"},
    {"To", " joe (a\n  b)", "To: joe@o.example (a  b)"},
    {"To", " Joe   User   <joe>,Joe  (x)  User <joe>",
     "To: Joe User <joe@o.example>, Joe (x) User <joe@o.example>"},
    {"To", " \"a b\" (c) <joe>, joe@b.example(x)",
     "To: \"a b\" (c) <joe@o.example>, joe@b.example (x)"},
    {"To", " Undisclosed recipients:;, joe",
     "To: Undisclosed recipients: ;, joe@o.example"},
    {"To", " group:joe;(c), x", "To: group: joe@o.example;(c), x@o.example"},
    {"From", " @x:joe", "From: joe@o.example"},
    {"From", " <@x:joe>", "From: <joe@o.example>"},
    {"Cc", " <>", "Cc: <>"},
    {"Cc", " ", "Cc: "},
    {"To", " a@[1.2.3.4, x y z", "To: a@[1.2.3.4, x y z]"},
    {"To", " a.b.c.@d, .x@d, a..b@d", "To: \"a.b.c.\"@d, \".x\"@d, \"a..b\"@d"},
};

static void test_reprint(void **state)
{
    (void)state;
    struct str out = {0};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        reprint(CASES[i].name, CASES[i].value, &out);
        assert_string_equal(str_ptr(&out), CASES[i].printed);
    }
    str_done(&out);
}

/* Lines have fewer than 70 characters unless one address is longer. */
static void test_fold(void **state)
{
    (void)state;
    struct str out = {0};
    reprint("To", " a, xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@x.example", &out);
    assert_null(strchr(str_ptr(&out), '\n'));
    assert_int_equal(out.len, 69);
    reprint("To", " a, xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@x.example", &out);
    assert_non_null(strchr(str_ptr(&out), '\n'));
    str_done(&out);
}

/* Nothing that anybody sends may make the parser fail or loop. */
static void test_truncated(void **state)
{
    (void)state;
    static const char text[] = " g: a <@x,@y:\"q\\\" r\"@[1.2.3.4]> (c (d\\)) e), ((, "
                               "<\\, \"\\ ;:>>.@@. []] )x( b,";
    struct str out = {0};
    for (size_t len = 0; len < sizeof(text); len++) {
        for (size_t from = 0; from <= len; from++) {
            char copy[sizeof(text)] = {0};
            memcpy(copy, text + from, len - from);
            reprint("To", copy, &out);
            assert_true(str_ok(&out));
        }
    }
    str_done(&out);
}

static void test_token_limit(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct header_addresses list;
    header_addresses_parse(&arena, view_cstr(" a, b, c, d"), 3, &list);
    size_t addresses = 0;
    for (size_t i = 0; i < list.count; i++) {
        addresses += list.parts[i].is_address;
    }
    assert_int_equal(addresses, 2);
    arena_clear(&arena);
}

static void test_phrase(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"root", "root"},
        {"Full Name", "Full Name"},
        {"Full \"Q\" Name", "\"Full \\\"Q\\\" Name\""},
        {"a.b c", "\"a.b c\""},
        {"x\nTo: y", "\"x To: y\""},
        {"back\\slash", "\"back\\\\slash\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct str out = {0};
        header_phrase_quote(view_cstr(cases[i][0]), &out);
        assert_string_equal(str_ptr(&out), cases[i][1]);
        str_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reprint),   cmocka_unit_test(test_fold),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_token_limit),
        cmocka_unit_test(test_phrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
