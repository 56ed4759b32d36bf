/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

static void test_empty(void **state)
{
    (void)state;
    STR_AUTO struct str s = {0};
    assert_string_equal(str_ptr(&s), "");
    assert_int_equal(str_view(&s).len, 0);
    assert_true(str_ok(&s));
    str_truncate(&s, 0);
    str_clear(&s);
    char *stolen = str_steal(&s);
    assert_string_equal(stolen, "");
    free(stolen);
}

static void test_build(void **state)
{
    (void)state;
    STR_AUTO struct str s = {0};
    str_add_cstr(&s, "ab");
    str_add_byte(&s, '\0');
    str_add(&s, VIEW("C\0"));
    str_add_lower(&s, VIEW("DeF\xc9"));
    assert_int_equal(s.len, 9);
    assert_memory_equal(str_ptr(&s), "ab\0C\0def\xc9", 10);
    str_add(&s, (struct view){0});
    str_set_cstr(&s, "new");
    str_printf(&s, "%d%s", 7, "x");
    assert_string_equal(str_ptr(&s), "new7x");
    str_truncate(&s, 3);
    assert_string_equal(str_ptr(&s), "new");
    char *stolen = str_steal(&s);
    assert_string_equal(stolen, "new");
    assert_int_equal(s.len, 0);
    free(stolen);
}

/* Long enough to move the memory several times. */
static void test_add_itself(void **state)
{
    (void)state;
    STR_AUTO struct str s = {0};
    str_add_cstr(&s, "0123456789");
    for (int i = 0; i < 8; i++) {
        str_add(&s, str_view(&s));
    }
    assert_int_equal(s.len, 2560);
    str_add(&s, view_of(str_ptr(&s) + 2, 3));
    assert_view_equal(view_from(str_view(&s), 2550), "0123456789234");
}

static void test_overflow_is_sticky(void **state)
{
    (void)state;
    STR_AUTO struct str s;
    str_init(&s, 5);
    str_add_cstr(&s, "12345");
    assert_true(str_ok(&s));
    str_add_byte(&s, '6');
    assert_false(str_ok(&s));
    assert_string_equal(str_ptr(&s), "12345");
    str_truncate(&s, 2);
    str_add_byte(&s, 'x'); /* there is room again, but something was lost */
    assert_string_equal(str_ptr(&s), "12");
    assert_null(str_reserve(&s, 1));
    assert_false(str_ok(&s));
    str_clear(&s);
    assert_true(str_ok(&s));
    str_printf(&s, "%s", "123456");
    assert_false(str_ok(&s));
    str_done(&s);
    str_set_cstr(&s, "123456"); /* the maximum outlives str_done() */
    assert_false(str_ok(&s));
    str_clear(&s);
    assert_null(str_reserve(&s, SIZE_MAX));
    assert_false(str_ok(&s));
}

static void test_reserve(void **state)
{
    (void)state;
    STR_AUTO struct str s = {0};
    char *room = str_reserve(&s, 3);
    assert_non_null(room);
    assert_string_equal(str_ptr(&s), "");
    memcpy(room, "abc", 3);
    str_commit(&s, 2);
    assert_string_equal(str_ptr(&s), "ab");
    assert_non_null(str_reserve(&s, 0));
    str_commit(&s, 0);
    assert_string_equal(str_ptr(&s), "ab");
}

static void test_errno_text(void **state)
{
    (void)state;
    STR_AUTO struct str s = {0};
    errno = ENOENT;
    str_printf(&s, "%0200d %m", 1);
    assert_non_null(strstr(str_ptr(&s), "No such file or directory"));
    assert_int_equal(errno, ENOENT);
}

static void test_alloc(void **state)
{
    (void)state;
    char *text = xasprintf("%s-%d", "a", 1);
    assert_string_equal(text, "a-1");
    free(text);
    text = xviewdup((struct view){0});
    assert_string_equal(text, "");
    free(text);
    text = xviewdup(VIEW("a\0b"));
    assert_memory_equal(text, "a\0b", 4);
    free(text);
    text = xreallocarray(NULL, 0, 8);
    assert_non_null(text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_build),
        cmocka_unit_test(test_add_itself), cmocka_unit_test(test_overflow_is_sticky),
        cmocka_unit_test(test_reserve),    cmocka_unit_test(test_errno_text),
        cmocka_unit_test(test_alloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
