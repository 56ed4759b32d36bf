/* SPDX-License-Identifier: MIT */
/* Cutting alias values and .forward lines into members. */
#include "testing/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "local/local.h"

static void test_members(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *plain[5]; /* without quotes, up to NULL */
    } rows[] = {
        {"ann", {"ann"}},
        {"ann, bob ,\tcat", {"ann", "bob", "cat"}},
        {",, ann ,,", {"ann"}},
        {"ann bob", {"ann", "bob"}},
        {"", {NULL}},
        {" , \t\n", {NULL}},
        {"\"|cat > x, y\"", {"|cat > x, y"}},
        {"|\"cat > x, y\", bob", {"|cat > x, y", "bob"}},
        {"|cat > x", {"|cat", ">", "x"}},
        {"\"|echo \\\"hi\\\" \\\\\"", {"|echo \"hi\" \\"}},
        {":include:/a/b, \":include:/c d\", :include:\"/e f\"",
         {":include:/a/b", ":include:/c d", ":include:/e f"}},
        {"/file, \"/with blank\", ~/x", {"/file", "/with blank", "~/x"}},
        {"\\ann, \\\"bob", {"\\ann", "\\bob"}},
        {"Bob Friend <bob@x>, ann", {"Bob Friend <bob@x>", "ann"}},
        {"\"Last, First\" <bob>, ann", {"Last, First <bob>", "ann"}},
        {"ann (a, b), bob", {"ann (a, b)", "bob"}},
        {"ann (a (nested, b)), bob", {"ann (a (nested, b))", "bob"}},
        {"\"unbalanced, x", {"unbalanced, x"}},
        {"(unbalanced, x", {"(unbalanced, x"}},
        {"\"a b\"@x.test", {"a b@x.test"}},
        {"one\ntwo", {"one", "two"}},
        {"x\\", {"x\\"}},
        {"\"", {""}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct arena arena = {0};
        struct view rest = view_cstr(rows[i].line);
        struct member member;
        size_t k = 0;
        while (member_next(&arena, &rest, &member)) {
            assert_true(k < 5 && rows[i].plain[k] != NULL);
            assert_view_equal(member.plain, rows[i].plain[k]);
            k++;
        }
        assert_true(k == 5 || rows[i].plain[k] == NULL);
        arena_clear(&arena);
    }
}

/* Whatever is cut off: no read behind the end, and an end. */
static void test_truncated(void **state)
{
    (void)state;
    struct view whole =
        VIEW("\"|a \\\" b\", x (c \"d\\) e), <f@\"g>, \\, :include:\"/h\\");
    for (size_t len = 0; len <= whole.len; len++) {
        struct arena arena = {0};
        char *exact = xviewdup(view_first(whole, len));
        struct view rest = view_of(exact, len);
        struct member member;
        size_t count = 0;
        while (member_next(&arena, &rest, &member)) {
            assert_true(++count < 20);
        }
        assert_int_equal(rest.len, 0);
        free(exact);
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_members),
                                       cmocka_unit_test(test_truncated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
