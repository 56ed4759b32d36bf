/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "base/ascii.h"
#include "base/check.h"
#include "base/number.h"

static void test_unsigned(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } rows[] = {
        {"0", 10, true, 0},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"0000000000000000000000000000000000000007", 10, true, 7},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999999", UINT64_MAX, false, 0},
        {"", 10, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {" 1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"1a", 10, false, 0},
        {"0x1", 10, false, 0},
        {"\xd9\xa1", 10, false, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t value = 99;
        assert_true(number_parse_u64(view_cstr(rows[i].text), rows[i].max, &value) ==
                    rows[i].good);
        assert_int_equal(value, rows[i].good ? rows[i].value : 99);
    }
}

static void test_signed(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(number_parse_i64(VIEW("-5"), -5, 5, &value) && value == -5);
    assert_false(number_parse_i64(VIEW("-6"), -5, 5, &value));
    assert_false(number_parse_i64(VIEW("6"), -5, 5, &value));
    assert_true(number_parse_i64(VIEW("9223372036854775807"), 0, INT64_MAX, &value));
    assert_int_equal(value, INT64_MAX);
    assert_false(number_parse_i64(VIEW("9223372036854775808"), 0, INT64_MAX, &value));
    assert_true(number_parse_i64(VIEW("-9223372036854775807"), INT64_MIN, 0, &value));
    assert_int_equal(value, -INT64_MAX);
    assert_false(number_parse_i64(VIEW("-"), -5, 5, &value));
    assert_false(number_parse_i64(VIEW("--1"), -5, 5, &value));
    assert_false(number_parse_i64((struct view){0}, -5, 5, &value));
}

static void test_octal(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(number_parse_octal(VIEW("0755"), 07777, &value) && value == 0755);
    assert_false(number_parse_octal(VIEW("8"), 07777, &value));
    assert_false(number_parse_octal(VIEW("10000"), 07777, &value));
}

static void test_classes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        assert_true(ascii_space(byte) == (c == ' ' || (c >= 9 && c <= 13)));
        assert_true(ascii_digit(byte) == (c >= '0' && c <= '9'));
        assert_true(ascii_printable(byte) == (c >= 32 && c < 127));
        assert_true(ascii_alnum(byte) == (ascii_alpha(byte) || ascii_digit(byte)));
        if (c >= 128) {
            assert_true(ascii_lower(byte) == byte && ascii_upper(byte) == byte);
            assert_int_equal(ascii_hex(byte), -1);
        }
    }
    assert_int_equal(ascii_hex('f') + ascii_hex('A') + ascii_hex('9'), 34);
    assert_int_equal(ascii_hex('g'), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_octal),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
