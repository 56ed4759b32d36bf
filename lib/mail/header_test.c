/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "mail/header.h"

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *line, *name, *value; /* name NULL: no header */
    } CASES[] = {
        {"Subject: x", "Subject", " x"},
        {"Subject:x", "Subject", "x"},
        {"Subject \t: x", "Subject", " x"},
        {"X:", "X", ""},
        {"a:b:c", "a", "b:c"},
        {":x", NULL, NULL},
        {"Foo Bar: x", NULL, NULL},
        {"", NULL, NULL},
        {" x: y", NULL, NULL},
        {"Subject", NULL, NULL},
        {"Sub\xc3\xbc: x", NULL, NULL},
        {"X: \xc3\xbc", "X", " \xc3\xbc"},
        {"From ken Mon: x", NULL, NULL},
        {"A\001: x", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct view name, value;
        bool is_header = header_split(view_cstr(CASES[i].line), &name, &value);
        assert_int_equal(is_header, CASES[i].name != NULL);
        if (is_header) {
            assert_view_equal(name, CASES[i].name);
            assert_view_equal(value, CASES[i].value);
        }
    }
}

static void test_classify(void **state)
{
    (void)state;
    assert_int_equal(header_classify(VIEW("X: y"), false), HEADER_START);
    assert_int_equal(header_classify(VIEW(" y"), true), HEADER_CONTINUATION);
    assert_int_equal(header_classify(VIEW("\t"), true), HEADER_CONTINUATION);
    assert_int_equal(header_classify(VIEW(" y"), false), HEADER_BODY);
    assert_int_equal(header_classify(VIEW(""), true), HEADER_END);
    assert_int_equal(header_classify(VIEW("hello"), true), HEADER_BODY);
    assert_true(header_is_mailbox_line(VIEW("From ken Mon")));
    assert_true(header_is_mailbox_line(VIEW(">>From ken")));
    assert_false(header_is_mailbox_line(VIEW("From: ken")));
    assert_false(header_is_mailbox_line(VIEW(">")));
}

static void test_next(void **state)
{
    (void)state;
    struct view message = header_skip_mailbox_lines(VIEW(
        "From a\n>From b\nSubject: x\n  y\n\tz\nTo:\r\n a\r\nnot a header\n\nbody\n"));
    struct header header;
    assert_true(header_next(&message, &header));
    assert_view_equal(header.name, "Subject");
    assert_view_equal(header.value, " x\n  y\n\tz");
    assert_view_equal(header.text, "Subject: x\n  y\n\tz\n");
    STR_AUTO struct str text = {0};
    header_unfold(header.value, &text);
    assert_string_equal(str_ptr(&text), "x  y\tz");
    assert_true(header_next(&message, &header));
    assert_view_equal(header.name, "To");
    assert_view_equal(header.value, "\r\n a");
    assert_false(header_next(&message, &header));
    assert_view_equal(message, "not a header\n\nbody\n");
    message = VIEW("X: y");
    assert_true(header_next(&message, &header));
    assert_view_equal(header.value, " y");
    assert_int_equal(message.len, 0);
    assert_false(header_next(&message, &header));
}

static void test_cut_everywhere(void **state)
{
    (void)state;
    static const char TEXT[] = "From a\nA: b\r\n\tc\r\nB:\n\n";
    for (size_t len = 0; len < sizeof(TEXT); len++) {
        char *copy = xmalloc(len + 1);
        memcpy(copy, TEXT, len);
        struct view rest = header_skip_mailbox_lines(view_of(copy, len));
        struct header header;
        size_t total = rest.len;
        while (header_next(&rest, &header)) {
            total -= header.text.len;
        }
        assert_int_equal(total, rest.len);
        free(copy);
    }
}

static void test_safe(void **state)
{
    (void)state;
    STR_AUTO struct str out = {0};
    header_add_safe(&out, VIEW("a\r\nB: c\x7f\xc3\xbc"));
    assert_string_equal(str_ptr(&out), "a??B: c?\xc3\xbc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split), cmocka_unit_test(test_classify),
        cmocka_unit_test(test_next),  cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
