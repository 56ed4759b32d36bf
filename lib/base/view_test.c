/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "base/check.h"
#include "base/utf8.h"
#include "base/view.h"

static const struct view nothing = {0};

static void test_compare(void **state)
{
    (void)state;
    assert_true(view_equal(VIEW("ab"), VIEW("ab")));
    assert_false(view_equal(VIEW("ab"), VIEW("aB")));
    assert_false(view_equal(VIEW("ab"), VIEW("abc")));
    assert_true(view_equal(nothing, VIEW("")));
    assert_true(view_equal(VIEW("a\0b"), VIEW("a\0b")));
    assert_false(view_equal(VIEW("a\0b"), VIEW("a\0c")));
    assert_true(view_equal_nocase(VIEW("aBz"), VIEW("AbZ")));
    assert_false(view_equal_nocase(VIEW("@"), VIEW("`")));
    assert_true(view_equal_nocase_cstr(VIEW("X"), "x"));
    assert_true(view_equal_cstr(nothing, ""));
    assert_false(view_equal_cstr(VIEW("a\0"), "a"));
    assert_true(view_starts(VIEW("abc"), VIEW("ab")) && view_starts(nothing, nothing));
    assert_false(view_starts(VIEW("a"), VIEW("ab")));
    assert_true(view_starts_nocase(VIEW("ABC"), VIEW("ab")));
    assert_true(view_ends_nocase(VIEW("host.EXAMPLE"), VIEW(".example")));
    assert_false(view_ends_nocase(VIEW("e"), VIEW(".e")));
}

static void test_slices(void **state)
{
    (void)state;
    assert_view_equal(view_from(VIEW("abc"), 1), "bc");
    assert_view_equal(view_from(VIEW("abc"), 3), "");
    assert_view_equal(view_from(VIEW("abc"), 99), "");
    assert_int_equal(view_from(nothing, 0).len, 0);
    assert_int_equal(view_from(nothing, 9).len, 0);
    assert_view_equal(view_first(VIEW("abc"), 2), "ab");
    assert_view_equal(view_first(VIEW("abc"), 9), "abc");
    assert_view_equal(view_trim(VIEW(" \t a b\r\n")), "a b");
    assert_view_equal(view_trim(VIEW(" \v\f ")), "");
    assert_int_equal(view_index(VIEW("a.b.c"), '.'), 1);
    assert_int_equal(view_last_index(VIEW("a.b.c"), '.'), 3);
    assert_int_equal(view_index(VIEW("abc"), '.'), 3);
    assert_int_equal(view_last_index(nothing, '.'), 0);
    assert_int_equal(view_index(VIEW("ab\0c"), '\0'), 2);
}

static void test_words(void **state)
{
    (void)state;
    struct view rest = VIEW(",, one, two\0x ,three");
    struct view word;
    assert_true(view_next_word(&rest, ", ", &word));
    assert_view_equal(word, "one");
    assert_true(view_next_word(&rest, ", ", &word));
    assert_int_equal(word.len, 5); /* a NUL separates nothing */
    assert_true(view_next_word(&rest, ", ", &word));
    assert_view_equal(word, "three");
    assert_false(view_next_word(&rest, ", ", &word));
    assert_false(view_next_word(&rest, ", ", &word));
    rest = nothing;
    assert_false(view_next_word(&rest, " ", &word));
}

static void test_print_length(void **state)
{
    (void)state;
    assert_int_equal(view_print_length(VIEW("abc")), 3);
    assert_int_equal(view_print_length(view_of("", SIZE_MAX)), INT_MAX);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } rows[] = {
        {"a", 1},
        {"\xc3\xa9", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x98\x80", 4},
        {"\x80", 0},
        {"\xc0\x80", 0},
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf5\x80\x80", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xff", 0},
        {"\xc3", 0},
        {"\xe2\x82", 0},
        {"\xe2\x28\xa1", 0},
        {"\xc3\x28", 0},
        {"\xf0\x9f\x98", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(utf8_sequence_length(view_cstr(rows[i].bytes)),
                         rows[i].length);
    }
    assert_int_equal(utf8_sequence_length(nothing), 0);
    assert_true(utf8_valid(VIEW("caf\xc3\xa9")) && utf8_valid(nothing));
    assert_false(utf8_valid(VIEW("caf\xe9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare), cmocka_unit_test(test_slices),
        cmocka_unit_test(test_words),   cmocka_unit_test(test_print_length),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
