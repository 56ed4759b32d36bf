/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"

static void test_both_ways(void **state)
{
    (void)state;
    static const struct {
        struct view bytes;
        const char *text;
    } rows[] = {/* RFC 4648, section 10 */
                {VIEW(""), ""},
                {VIEW("f"), "Zg=="},
                {VIEW("fo"), "Zm8="},
                {VIEW("foo"), "Zm9v"},
                {VIEW("foob"), "Zm9vYg=="},
                {VIEW("fooba"), "Zm9vYmE="},
                {VIEW("foobar"), "Zm9vYmFy"},
                {VIEW("\xff\xfe\0\n"), "//4ACg=="}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STR_AUTO struct str out = {0};
        base64_encode(rows[i].bytes, &out);
        assert_string_equal(str_ptr(&out), rows[i].text);
        str_set_cstr(&out, "before ");
        assert_true(base64_decode(view_cstr(rows[i].text), &out));
        assert_int_equal(out.len, 7 + rows[i].bytes.len);
        assert_memory_equal(out.ptr + 7, rows[i].bytes.ptr, rows[i].bytes.len);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",      "Zg==Zg==", "Z===",
                                      "====", "Zh==", "Zm9=",     "Zm 8",     "Zm9v\n",
                                      "Zg=a", "Zm9-", "Zm9v====", "Zm9vZg==="};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        STR_AUTO struct str out = {0};
        str_set_cstr(&out, "kept");
        assert_false(base64_decode(view_cstr(bad[i]), &out));
        assert_string_equal(str_ptr(&out), "kept");
    }
    STR_AUTO struct str out = {0};
    assert_false(base64_decode(VIEW("Zm9\0"), &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
