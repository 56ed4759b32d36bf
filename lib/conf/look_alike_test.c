/* SPDX-License-Identifier: MIT */
#include "conf/look_alike.h"

#include "base/check.h"
#include "testing/test.h"

static void test_found(void **state)
{
    static const struct {
        const char *line;
        int column;
        const char *what;
    } rows[] = {
        {"myorigin = \xc3\xa9\xe3\x80\x80$mydomain", 13,
         "U+3000, an ideographic space,"},
        {"a =\xc2\xa0"
         "b",
         4, "U+00A0, a no-break space,"},
        {"\xef\xbb\xbfmyhostname = a", 1, "U+FEFF, a byte order mark,"},
        {"relayhost \xef\xbc\x9d a", 11, "U+FF1D, a full-width =,"},
        {"relayhost = a\xef\xbc\x83", 14, "U+FF03, a full-width #,"},
        {"a = \xe2\x80\x9cquoted\xe2\x80\x9d", 5, "U+201C, a quotation mark,"},
        {"a = x\xe3\x80\x81y", 6, "U+3001, an ideographic comma or full stop,"},
        {"a = x \xe2\x86\x92 y", 7, "U+2192, an arrow,"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STR_AUTO struct str what = {0};
        int column = 0;
        assert_true(look_alike_find(view_cstr(rows[i].line), &column, &what));
        assert_int_equal(column, rows[i].column);
        assert_string_equal(str_ptr(&what), rows[i].what);
    }
}

/* Text in any language is nothing to complain about, and neither are broken bytes. */
static void test_text(void **state)
{
    static const char *const lines[] = {"",
                                        "myhostname = mail.example.com",
                                        "smtpd_banner = gr\xc3\xbc\xc3\x9f",
                                        "x = \xe3\x83\xa1\xe3\x83\xbc\xe3\x83\xab",
                                        "x = \xff\xe3\x80",
                                        "x = \xf0\x9f\x93\xa7"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        STR_AUTO struct str what = {0};
        int column = 0;
        assert_false(look_alike_find(view_cstr(lines[i]), &column, &what));
        assert_int_equal(what.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found),
                                       cmocka_unit_test(test_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
