/* SPDX-License-Identifier: MIT */
#include "smtpd/data_filter.h"

#include "base/check.h"
#include "testing/test.h"

struct row {
    const char *name;
    struct view in;
    const char *out;
    size_t left; /* bytes after the end of data */
    bool dots, lenient, ended;
};

#define TEXT(literal)                                                                  \
    {                                                                                  \
        literal, sizeof(literal) - 1                                                   \
    }

static const struct row ROWS[] = {
    {"one line", TEXT("a\r\n.\r\n"), "a\n", 0, true, false, true},
    {"rest stays", TEXT("a\r\n.\r\nQUIT\r\n"), "a\n", 6, true, false, true},
    {"empty", TEXT(".\r\n"), "", 0, true, false, true},
    {"stuffed", TEXT("..\r\n...\r\n.a\r\n.\r\n"), ".\n..\na\n", 0, true, false, true},
    {"bare LF", TEXT("a\nb\r\n.\r\n"), "a\nb\n", 0, true, false, true},
    {"LF.LF is no end", TEXT("a\n.\nb\r\n.\r\n"), "a\n\nb\n", 0, true, false, true},
    {"LF.CRLF is no end", TEXT("a\n.\r\nb\r\n.\r\n"), "a\n\nb\n", 0, true, false, true},
    {"CRLF.LF is no end", TEXT("a\r\n.\nb\r\n.\r\n"), "a\n\nb\n", 0, true, false, true},
    {"CRLF.CRCRLF is no end", TEXT("a\r\n.\r\r\nb\r\n.\r\n"), "a\n\nb\n", 0, true,
     false, true},
    {"lenient LF.LF", TEXT("a\n.\nb"), "a\n", 1, true, true, true},
    {"lenient CRs", TEXT("a\r\n.\r\r\nb"), "a\n", 1, true, true, true},
    {"bare CR", TEXT("a\rb\r\n.\rc\r\n.\r\n"), "a\rb\n\rc\n", 0, true, false, true},
    {"CRs at the end", TEXT("a\r\r\r\n.\r\n"), "a\n", 0, true, false, true},
    {"NUL", TEXT("a\0b\r\n.\r\n"), "a", 0, true, false, true},
    {"unfinished", TEXT("a\r\nb"), "a\nb", 0, true, false, false},
    {"chunk", TEXT(".\r\n..\r\n\r\n"), ".\n..\n\n", 0, false, false, false},
};

static void check_row(const struct row *row, size_t step)
{
    struct data_filter filter;
    STR_AUTO struct str out = {0};
    size_t used = 0;
    data_filter_init(&filter, row->dots, row->lenient);
    while (used < row->in.len && !filter.ended) {
        struct view piece = view_first(view_from(row->in, used), step);
        used += data_filter_feed(&filter, piece, &out);
    }
    if (out.len < strlen(row->out) ||
        strncmp(str_ptr(&out), row->out, strlen(row->out)) ||
        filter.ended != row->ended || row->in.len - used != row->left) {
        fail_msg("%s, step %zu: <%s>, ended %d, %zu left", row->name, step,
                 str_ptr(&out), filter.ended, row->in.len - used);
    }
}

/* However the input is cut, the result is the same. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        for (size_t step = 1; step <= ROWS[i].in.len; step++) {
            check_row(&ROWS[i], step);
        }
    }
}

static void test_embedded_nul(void **state)
{
    (void)state;
    struct data_filter filter;
    STR_AUTO struct str out = {0};
    data_filter_init(&filter, true, false);
    assert_int_equal(data_filter_feed(&filter, VIEW("a\0b\r\n.\r\n"), &out), 8);
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.ptr, "a\0b\n", 4);
}

static void test_chunks(void **state)
{
    (void)state;
    struct data_filter filter;
    STR_AUTO struct str out = {0};
    data_filter_init(&filter, false, false);
    assert_int_equal(data_filter_feed(&filter, VIEW("Subject: x\r\n\r"), &out), 13);
    assert_int_equal(data_filter_feed(&filter, VIEW("\nx.\r\n.\r"), &out), 7);
    data_filter_finish(&filter, &out);
    assert_string_equal(str_ptr(&out), "Subject: x\n\nx.\n.\r\n");
    data_filter_finish(&filter, &out);
    assert_string_equal(str_ptr(&out), "Subject: x\n\nx.\n.\r\n");
}

static void test_long_line(void **state)
{
    (void)state;
    struct data_filter filter;
    STR_AUTO struct str in = {0};
    STR_AUTO struct str out = {0};
    for (int i = 0; i < 1024 * 1024; i++) {
        str_add_byte(&in, i % 3 != 0 ? 'x' : '\r');
    }
    data_filter_init(&filter, true, false);
    assert_int_equal(data_filter_feed(&filter, str_view(&in), &out), in.len);
    assert_false(filter.ended);
    assert_int_equal(out.len + filter.held, in.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_embedded_nul),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
