/* SPDX-License-Identifier: MIT */
#include "conf/logical_line.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "testing/test.h"

static void test_lines(void **state)
{
    (void)state;
    struct logical_line reader = {.rest = VIEW("# one\n"
                                               "a = 1\n"
                                               "  # two\n"
                                               "\n"
                                               "\tmore\n"
                                               "   \n"
                                               "b\n"
                                               "#\n"
                                               "c = \n"
                                               " d")};
    static const struct {
        const char *text;
        int line;
    } expected[] = {{"a = 1\tmore", 2}, {"b", 7}, {"c =  d", 9}};
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_true(logical_line_next(&reader));
        assert_string_equal(str_ptr(&reader.text), expected[i].text);
        assert_int_equal(reader.line, expected[i].line);
    }
    assert_false(logical_line_next(&reader));
    assert_false(logical_line_next(&reader));
    logical_line_done(&reader);
}

static void test_starts_with_continuation(void **state)
{
    (void)state;
    struct logical_line reader = {.rest = VIEW("\n  a\n  b\nc")};
    assert_true(logical_line_next(&reader));
    assert_string_equal(str_ptr(&reader.text), "  a  b");
    assert_int_equal(reader.line, 2);
    assert_true(logical_line_next(&reader));
    assert_string_equal(str_ptr(&reader.text), "c");
    assert_int_equal(reader.line, 4);
    assert_false(logical_line_next(&reader));
    logical_line_done(&reader);
}

static void test_long_line(void **state)
{
    enum { LENGTH = 1024 * 1024 };
    (void)state;
    char *text = xmalloc(LENGTH);
    memset(text, 'x', LENGTH);
    struct logical_line reader = {.rest = view_of(text, LENGTH)};
    assert_true(logical_line_next(&reader));
    assert_int_equal(reader.text.len, LENGTH);
    assert_false(logical_line_next(&reader));
    logical_line_done(&reader);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_starts_with_continuation),
        cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
