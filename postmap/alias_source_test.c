/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "postmap/alias_source.h"

/* What Postfix's postalias stores for "k: VALUE". */
static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *source, *stored;
    } cases[] = {
        {"x, :y", "x, :y"},
        {"x,:y", "x, :y"},
        {"x :y", "x:y"},
        {"x: y", "x:y"},
        {"x : y", "x:y"},
        {"x,<y>", "x, <y>"},
        {"x <y>", "x <y>"},
        {"x<y>", "x <y>"},
        {"<y>x", "<y>x"},
        {"<y> x", "<y>x"},
        {"x;y", "x;y"},
        {"x; y", "x;y"},
        {"x ;y", "x;y"},
        {";x", ";x"},
        {"x,;y", "x, ;y"},
        {"x;,y", "x;, y"},
        {":x", ":x"},
        {"::x", "::x"},
        {"x::y", "x::y"},
        {"a@b:c", "a@b:c"},
        {":include:/a,:include:/b", ":include:/a, :include:/b"},
        {":include:/a, :include:/b", ":include:/a, :include:/b"},
        {"\"q\":x", "\"q\":x"},
        {"x:\"q\"", "x:\"q\""},
        {"x \"q\"", "x \"q\""},
        {"\"q\"x", "\"q\" x"},
        {"\"q\" x", "\"q\" x"},
        {"\"q\"\"r\"", "\"q\" \"r\""},
        {"(c)x", "(c) x"},
        {"x(c)", "x (c)"},
        {"x (c)", "x (c)"},
        {"(c) x", "(c) x"},
        {"(c)(d)", "(c) (d)"},
        {"(c) (d)", "(c) (d)"},
        {"x(c)y", "x (c) y"},
        {"\"q\"(c)", "\"q\" (c)"},
        {"(c)\"q\"", "(c) \"q\""},
        {"(c):x", "(c):x"},
        {"x:(c)", "x:(c)"},
        {",x", ", x"},
        {"x,(c)", "x, (c)"},
        {"x,\"q\"", "x, \"q\""},
        {"[a]b", "[a] b"},
        {"b[a]", "b [a]"},
        {"b [a]", "b [a]"},
        {"[a] b", "[a] b"},
        {"[a][b]", "[a] [b]"},
        {"x@[a]", "x@[a]"},
        {"x,[a]", "x, [a]"},
        {"\"q\"[a]", "\"q\" [a]"},
        {"x.y", "x.y"},
        {"x. y", "x.y"},
        {"x .y", "x.y"},
        {".x", ".x"},
        {"x.", "x."},
        {"x..y", "x..y"},
        {"x.@y", "x.@y"},
        {"x@y@z", "x@y@z"},
        {"x@ y", "x@y"},
        {"x @y", "x@y"},
        {"@x", "@x"},
        {"@x,@y:z@w", "@x, @y:z@w"},
        {"<@x:y@z>", "<@x:y@z>"},
        {"x@(c)y", "x@(c) y"},
        {"x (c) @ y", "x (c)@y"},
        {"x!y", "x!y"},
        {"x%y", "x%y"},
        {"x/y z", "x/y z"},
        {"x\\yz", "xyz"},
        {"x\\ y", "\"x y\""},
        {"\\x", "x"},
        {"x\"a\\\"b\"", "x \"a\\\"b\""},
        {"\"a\\\\b\"", "\"a\\\\b\""},
        {"\"a\\", "\"a\""},
        {"x>y", "x>y"},
        {"x>", "x>"},
        {"x> y", "x>y"},
        {"<x> <y>", "<x> <y>"},
        {"<x><y>", "<x> <y>"},
        {"<x>(c)", "<x>(c)"},
        {"<x>,y", "<x>, y"},
        {"<x>;y", "<x>;y"},
        {"<x>:y", "<x>:y"},
        {"<x> :y", "<x>:y"},
        {":<x>", ": <x>"},
        {": <x>", ": <x>"},
        {";<x>", "; <x>"},
        {"; <x>", "; <x>"},
        {",<x>", ", <x>"},
        {".<x>", ". <x>"},
        {"@<x>", "@ <x>"},
        {"x.<y>", "x. <y>"},
        {"x@<y>", "x@ <y>"},
        {"x)y", "x)y"},
        {"x) y", "x)y"},
        {")x", ")x"},
        {"(a(b)c)d", "(a(b)c) d"},
        {"(a\\)b)c", "(a\\)b) c"},
        {"(a\\xb)c", "(a\\xb) c"},
        {"(a  b)\tc", "(a  b) c"},
        {"[a  b]", "[a  b]"},
        {"[a\\]b]", "[a]b]"},
        {"[a", "[a]"},
        {"(a", "(a"},
        {"\"a", "\"a\""},
        {"<a", "<a"},
        {"\"a\tb\"  c", "\"a b\" c"},
        {"a\tb", "a b"},
        {"\"|cmd a b\" , x", "\"|cmd a b\", x"},
        {"|cmd a b", "|cmd a b"},
        {"|cmd \"a b\" c", "|cmd \"a b\" c"},
        {"/file/name, x", "/file/name, x"},
        {"/file name", "/file name"},
        {":include: /x", ":include:/x"},
        {":include:\"/x y\"", ":include:\"/x y\""},
        {"\":include:/x y\"", "\":include:/x y\""},
        {"a:b,c;d", "a:b, c;d"},
        {"a: b, c; d", "a:b, c;d"},
        {"a=b;c=d", "a=b;c=d"},
        {"x, y z, w", "x, y z, w"},
        {"\"x\"@y", "\"x\"@y"},
        {"x@\"y\"", "x@\"y\""},
        {"\"x\" @y", "\"x\"@y"},
        {"É ü", "É ü"},
        {"x&y*z", "x&y*z"},
        {"x,", "x, "},
        {"x,,", "x, , "},
        {"x, ,y", "x, , y"},
        {",", ", "},
        {",,", ", , "},
        {";", ";"},
        {":", ":"},
        {".", "."},
        {"@", "@"},
        {"<>", "<>"},
        {"()", "()"},
        {"[]", "[]"},
        {"\"\"", "\"\""},
        {"\"\",x", "\"\", x"},
        {"x,  :y", "x, :y"},
        {"x,  y", "x, y"},
        {"x,   :y", "x, :y"},
        {"/file/x,  :include:/x/y", "/file/x, :include:/x/y"},
        {"\"a\"  ,/file/x,  :include:/x/y", "\"a\", /file/x, :include:/x/y"},
        {"\"a\" ,b,  :c", "\"a\", b, :c"},
        {"x % y", "x%y"},
        {"x ! y", "x!y"},
        {"x %y", "x%y"},
        {"\"q\"%y", "\"q\"%y"},
        {"(c)%y", "(c)%y"},
        {"x!(c)", "x!(c)"},
        {"%x", "%x"},
        {"!x", "!x"},
        {"x&\"y\"", "x& \"y\""},
        {"a\t,\tb", "a, b"},
        {"a \"b\tc\" d", "a \"b c\" d"},
        {"x@[1.2.3.4] (c)", "x@[1.2.3.4] (c)"},
        {"(c),(d)", "(c), (d)"},
        {"a;  :include:/x", "a;:include:/x"},
        {"  :include:/x", ":include:/x"},
        {"a:  :x", "a::x"},
        {"x <y> z", "x <y>z"},
        {"x <y> \"z\"", "x <y>\"z\""},
        {"x<y>[z]", "x <y>[z]"},
        {"<<x>>", "< <x>>"},
        {">>", ">>"},
        {"x <", "x <"},
        {"x < y", "x <y"},
        {"x @", "x@"},
        {"a b@c", "a b@c"},
        {"a \"b\"@c", "a \"b\"@c"},
        {"a (b)@c", "a (b)@c"},
        {"(a  (b", "(a  (b"},
        {"\"a  b", "\"a  b\""},
        {"a(b\\", "a (b\\"},
        {"[a\\", "[a]"},
        {"a\\", "a"},
        {"a\\\"b", "\"a\\\"b\""},
        {"a\\\\b", "\"a\\\\b\""},
        {"a\\)b", "\"a)b\""},
        {"\"a\\)b\"", "\"a)b\""},
        {"\"a\\,b\"", "\"a,b\""},
        {"\"a\\tb\"", "\"atb\""},
        {"a\\tb", "atb"},
        {"x\"", "x \"\""},
        {"\"\"\"\"", "\"\" \"\""},
        {"\"a\" \"b\" @c", "\"a\" \"b\"@c"},
        {"x\t:y", "x:y"},
        {"\"x  y\"", "\"x  y\""},
        {"\"\tx\"", "\" x\""},
        {"a=b", "a=b"},
        {"a#b", "a#b"},
        {"#b", "#b"},
        {"a $b {c} `d` ~e ^f |g 'h' *i +j -k _l ?m",
         "a $b {c} `d` ~e ^f|g 'h' *i +j -k _l ?m"},
        {"\"|cmd arg, x\"  ,/file/x,  :include:/x/y",
         "\"|cmd arg, x\", /file/x, :include:/x/y"},
        {"\"|cmd\" ,x,  :include:/x/y", "\"|cmd\", x, :include:/x/y"},
        {"\"x y\",x,  :i", "\"x y\", x, :i"},
        {"x,b,  :i", "x, b, :i"},
        {"\"|cmd\",  :i", "\"|cmd\", :i"},
        {"\"|cmd\",:i", "\"|cmd\", :i"},
        {"\"|cmd\", x, y, <z>, \"q\"", "\"|cmd\", x, y, <z>, \"q\""},
        {"\"|a\" b", "\"|a\" b"},
        {"\"|a\"<b>", "\"|a\" <b>"},
        {"x, \"|a\",  :i", "x, \"|a\", :i"},
        {"x | y", "x|y"},
        {"x |y", "x|y"},
        {"x| y", "x|y"},
        {"x|y", "x|y"},
        {"x|\"y\"", "x|\"y\""},
        {"\"x\"|y", "\"x\"|y"},
        {"|x", "|x"},
        {"| x", "|x"},
        {"x, |y", "x, |y"},
        {"<x>|y", "<x>|y"},
        {"|(c)", "|(c)"},
        {"x ? y", "x ? y"},
        {"x * y", "x * y"},
        {"x & y", "x & y"},
        {"x = y", "x = y"},
        {"x ' y", "x ' y"},
        {"x \" y", "x \" y\""},
        {"x + y", "x + y"},
        {"x / y", "x / y"},
        {"x ^ y", "x ^ y"},
        {"x { y", "x { y"},
        {"x ~ y", "x ~ y"},
        {"x # y", "x # y"},
        {"x $ y", "x $ y"},
        {"x ` y", "x ` y"},
    };
    STR_AUTO struct str name = {0};
    STR_AUTO struct str value = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *line = xasprintf("k: %s", cases[i].source);
        assert_null(alias_parse(view_trim(view_cstr(line)), &name, &value));
        assert_string_equal(str_ptr(&name), "k");
        assert_string_equal(str_ptr(&value), cases[i].stored);
        free(line);
    }
}

static const char pair[] = "need name:value pair";
static const char local[] = "name must be local";

/* NAME before folding, or PROBLEM. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *source, *name, *problem;
    } cases[] = {
        {"x y: v", "x y", NULL},
        {"x  y: v", "x y", NULL},
        {"\"x\" y: v", "x y", NULL},
        {"x \"y z\": v", "x y z", NULL},
        {"x.y: v", "x.y", NULL},
        {"x . y: v", "x.y", NULL},
        {"x@y: v", NULL, local},
        {"\"x@y\": v", "x@y", NULL},
        {"x @ y: v", NULL, local},
        {"@y: v", NULL, local},
        {"x(c): v", "x (c)", NULL},
        {"(c)x: v", "(c) x", NULL},
        {"(c): v", "(c)", NULL},
        {"x(c)y: v", "x (c) y", NULL},
        {"<x>: v", "<x>", NULL},
        {"x<y>: v", "x <y>", NULL},
        {"x;y: v", "x;y", NULL},
        {"x:y: v", "x", NULL},
        {"[x]: v", "[x]", NULL},
        {"x[y]: v", "x [y]", NULL},
        {"x [y]: v", "x [y]", NULL},
        {"x,y: v", NULL, pair},
        {"\"x,y\": v", "x,y", NULL},
        {"\"x:y\": v", "x:y", NULL},
        {"x\\:y: v", "x:y", NULL},
        {"x\\@y: v", "x@y", NULL},
        {"x\\,y: v", "x,y", NULL},
        {"\"x\\\"y\": v", "x\"y", NULL},
        {"\"x\\\\y\": v", "x\\y", NULL},
        {"x\"y\": v", "x y", NULL},
        {"\"x\"\"y\": v", "x y", NULL},
        {"x!y: v", "x!y", NULL},
        {"x%y: v", NULL, local},
        {"x=y: v", "x=y", NULL},
        {".x: v", ".x", NULL},
        {"x.: v", "x.", NULL},
        {"/x: v", "/x", NULL},
        {"/x y: v", "/x y", NULL},
        {"|x: v", "|x", NULL},
        {"\"|x y\": v", "|x y", NULL},
        {"É: v", "É", NULL},
        {"\"É\": v", "É", NULL},
        {"X Y: v", "X Y", NULL},
        {"\"X Y\": v", "X Y", NULL},
        {"x\ty: v", "x y", NULL},
        {"\"x\ty\": v", "x y", NULL},
        {"(): v", "()", NULL},
        {"\"\": v", "", NULL},
        {"\"\" x: v", " x", NULL},
        {"x>: v", "x>", NULL},
        {"x): v", "x)", NULL},
        {"x;: v", "x;", NULL},
        {";: v", ";", NULL},
        {"<>: v", "<>", NULL},
        {"nocolon value", NULL, pair},
        {"empty:", NULL, pair},
        {"empty:  ", NULL, pair},
        {": noname", NULL, pair},
        {":include:/x: y", NULL, pair},
        {"\"unclosed: x", NULL, pair},
        {"a; b", NULL, pair},
        {"(c)", NULL, pair},
        {"a, b: c", NULL, pair},
        {"a@b:", NULL, pair},
        {"", NULL, pair},
        {"\"a", NULL, pair},
    };
    STR_AUTO struct str name = {0};
    STR_AUTO struct str value = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *problem = alias_parse(view_cstr(cases[i].source), &name, &value);
        if (cases[i].problem != NULL) {
            assert_non_null(problem);
            assert_string_equal(problem, cases[i].problem);
            continue;
        }
        assert_null(problem);
        assert_string_equal(str_ptr(&name), cases[i].name);
    }
}

/* Exact-size copies, so that a sanitizer sees a read past the end. */
static void test_truncated(void **state)
{
    (void)state;
    static const char text[] =
        "\"a \\\"b\" (c (d\\)) ): \"|x \\\\ y\", <u@[1.2\\]3]>, :include:/f\\ g, (z\\";
    STR_AUTO struct str name = {0};
    STR_AUTO struct str value = {0};
    for (size_t len = 0; len < sizeof(text); len++) {
        char *exact = xmalloc(len > 0 ? len : 1);
        memcpy(exact, text, len);
        (void)alias_parse(view_of(exact, len), &name, &value);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
