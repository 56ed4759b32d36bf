/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdlib.h>

#include "base/check.h"
#include "map/fold.h"
#include "map/map.h"

static void test_fold(void **state)
{
    (void)state;
    static const struct {
        const char *key, *ascii, *utf8;
    } cases[] = {
        {"", "", ""},
        {"abc", "abc", "abc"},
        {"User@Example.COM", "user@example.com", "user@example.com"},
        {"É", "É", "é"},
        {"xÉÀ", "xÉÀ", "xéà"},
        {"Straße", "straße", "strasse"},
        {"STRAẞE", "straẞe", "strasse"},
        {"ΣΑΣ", "ΣΑΣ", "σασ"},
        {"σας", "σας", "σασ"},
        {"İ", "İ", "i̇"},
        {"ı", "ı", "ı"},
        {"ДОМ", "ДОМ", "дом"},
        {"漢字", "漢字", "漢字"},
        {"𐐀", "𐐀", "𐐨"},
        /* Not UTF-8: bytes stay, ASCII around them is folded. */
        {"A\xffZ", "a\xffz", "a\xffz"},
        {"A\xc3", "a\xc3", "a\xc3"},
        {"\xc0\x80X", "\xc0\x80x", "\xc0\x80x"},
        {"\xed\xa0\x80X", "\xed\xa0\x80x", "\xed\xa0\x80x"},
        {"\xf4\x90\x80\x80X", "\xf4\x90\x80\x80x", "\xf4\x90\x80\x80x"},
        {"\xe0\x80\x80X", "\xe0\x80\x80x", "\xe0\x80\x80x"},
    };
    STR_AUTO struct str out = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fold_key(view_cstr(cases[i].key), false, &out);
        assert_string_equal(str_ptr(&out), cases[i].ascii);
        fold_key(view_cstr(cases[i].key), true, &out);
        assert_string_equal(str_ptr(&out), cases[i].utf8);
    }
}

/* Exact-size copies, so that a sanitizer sees a read past the end. */
static void test_truncated(void **state)
{
    (void)state;
    static const char text[] = "É漢𐐀";
    STR_AUTO struct str out = {0};
    for (size_t len = 0; len < sizeof(text); len++) {
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        fold_key(view_of(copy, len), true, &out);
        assert_int_equal(out.len, len);
        free(copy);
    }
}

static void test_wanted(void **state)
{
    (void)state;
    struct err err;
    struct conf *on = conf_open_text("/", "smtputf8_enable = yes\n", &err);
    struct conf *off = conf_open_text("/", "smtputf8_enable = no\n", &err);
    assert_true(fold_utf8_wanted(on, MAP_FOLD));
    assert_false(fold_utf8_wanted(off, MAP_FOLD));
    assert_false(fold_utf8_wanted(on, MAP_FOLD | MAP_ASCII));
    assert_true(fold_utf8_wanted(off, MAP_FOLD | MAP_UTF8));
    conf_free(&on);
    conf_free(&off);
    assert_false(fold_is_needed(VIEW("abc@1-.")));
    assert_true(fold_is_needed(VIEW("aBc")));
    assert_true(fold_is_needed(VIEW("\xc3\xa9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
