/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"

static void test_strings(void **state)
{
    static const struct {
        struct view text;
        const char *json;
    } rows[] = {
        {VIEW(""), "\"\""},
        {VIEW("plain text"), "\"plain text\""},
        {VIEW("a \"b\" \\ c"), "\"a \\\"b\\\" \\\\ c\""},
        {VIEW("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {VIEW("\x01\x7f"), "\"\\u0001\\u007F\""},
        {VIEW("a\0b"), "\"a\\u0000b\""},
        {VIEW("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\""},
        {VIEW("\xff\xc3"), "\"\\uFFFD\\uFFFD\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STR_AUTO struct str out = {0};
        json_add_string(&out, rows[i].text);
        assert_string_equal(str_ptr(&out), rows[i].json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
