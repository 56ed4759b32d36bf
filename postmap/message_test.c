/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "base/check.h"
#include "base/str.h"
#include "postmap/message.h"

static void collect(void *context, struct view key)
{
    struct str *out = context;
    str_add_byte(out, '[');
    str_add(out, key);
    str_add_byte(out, ']');
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        const char *message, *headers, *body;
    } cases[] = {
        {"", "", ""},
        {"Subject: a\nX: b\n\nbody\n", "[Subject: a][X: b]", "[body]"},
        {"Subject: a\n\tb\n c\nX: d\n", "[Subject: a\n\tb\n c][X: d]", ""},
        {"Subject: a", "[Subject: a]", ""},
        {"no header\nx: y\n", "", "[no header][x: y]"},
        {"From foo bar\nx: y\n z\n\n\tq\n", "", "[From foo bar][x: y][ z][][\tq]"},
        {"\nx: y\n", "", "[x: y]"},
        {"A: b\nno header\nC: d\n\ne\n", "[A: b]", "[no header][C: d][][e]"},
        {" lead\nA: b\n", "", "[ lead][A: b]"},
        {"A: b\n \n\n\nc\n", "[A: b\n ]", "[][c]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (int body = 0; body < 2; body++) {
            STR_AUTO struct str out = {0};
            FILE *file = tmpfile();
            assert_non_null(file);
            assert_true(fputs(cases[i].message, file) >= 0);
            rewind(file);
            message_each_key(file, body == 0, body == 1, collect, &out);
            assert_string_equal(str_ptr(&out),
                                body == 0 ? cases[i].headers : cases[i].body);
            assert_int_equal(fclose(file), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
