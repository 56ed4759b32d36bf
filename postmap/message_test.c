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

static void check(const char *message, bool mime, bool headers, const char *expected)
{
    STR_AUTO struct str out = {0};
    const struct message_reader reader = {headers, !headers, mime, collect, &out};
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(fputs(message, file) >= 0);
    rewind(file);
    message_read(&reader, file);
    assert_string_equal(str_ptr(&out), expected);
    assert_int_equal(fclose(file), 0);
}

static void test_plain(void **state)
{
    (void)state;
    static const struct {
        const char *message, *headers, *body;
    } cases[] = {
        {"", "", ""},
        {"Subject: a\nX: b\n\nbody\n", "[Subject: a][X: b]", "[][body]"},
        {"Subject: a\n\tb\n c\nX: d\n", "[Subject: a\n\tb\n c][X: d]", ""},
        {"Subject: a", "[Subject: a]", ""},
        {"X : y\n", "[X: y]", ""},
        {"A b: c\n", "", "[][A b: c]"},
        {":z\n", "", "[][:z]"},
        {"X\xc3\xa9: y\n", "", "[][X\xc3\xa9: y]"},
        {"From z Mon\nx: y\n z\n\n\tq\n", "", "[][From z Mon][x: y][ z][][\tq]"},
        {"\nx: y\n", "", "[][x: y]"},
        {"A: b\nno header\nC: d\n\ne\n", "[A: b]", "[][no header][C: d][][e]"},
        {" lead\nA: b\n", "", "[][ lead][A: b]"},
        {"A: b\n \n\n\nc\n", "[A: b\n ]", "[][][c]"},
        {"Content-Type: multipart/mixed; boundary=x\n\n--x\nA: b\n",
         "[Content-Type: multipart/mixed; boundary=x]", "[][--x][A: b]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check(cases[i].message, false, true, cases[i].headers);
        check(cases[i].message, false, false, cases[i].body);
    }
}

#define MULTI(boundary) "Content-Type: multipart/mixed; boundary=" boundary

static void test_mime(void **state)
{
    (void)state;
    static const struct {
        const char *message, *headers, *body;
    } cases[] = {
        {MULTI("x") "\n\npre\nX: 1\n--x\nA: b\n\nc\n--y\n--x--\nD: e\n",
         "[" MULTI("x") "][A: b]", "[][pre][X: 1][--x][][c][--y][--x--][D: e]"},
        {MULTI("x") "\n\n--x\nnot a header\nb\n", "[" MULTI("x") "]",
         "[][--x][not a header][b]"},
        {MULTI("\"o \\\"x\"") "\n\n--o \"x  \nA: b\n",
         "[" MULTI("\"o \\\"x\"") "][A: b]", "[][--o \"x  ]"},
        {"content-type: MultiPart/Mixed (c;); x=y ; Boundary = q\n\n--q\nA: b\n",
         "[content-type: MultiPart/Mixed (c;); x=y ; Boundary = q][A: b]", "[][--q]"},
        {"Content-Type: text/plain; boundary=x\n\n--x\nA: b\n",
         "[Content-Type: text/plain; boundary=x]", "[][--x][A: b]"},
        {"Content-Type: message/rfc822\n\nS: n\n" MULTI("i") "\n\n--i\nT: p\n\nz\n",
         "[Content-Type: message/rfc822][S: n][" MULTI("i") "][T: p]",
         "[][][--i][][z]"},
        {"Content-Type: message/partial\n\nS: n\n", "[Content-Type: message/partial]",
         "[][S: n]"},
        {"Content-Type: multipart/digest; boundary=a\n\n--a\n\nS: in\n\nb\n--a\n"
         "Content-Type: message/headers\n\nX: y\n",
         "[Content-Type: multipart/digest; boundary=a][S: in]"
         "[Content-Type: message/headers]",
         "[][--a][][][b][--a][][X: y]"},
        {MULTI("a") "\n" MULTI("b") "\n\n--a\nA: 1\n\n--b\nB: 1\n",
         "[" MULTI("a") "][" MULTI("b") "][A: 1]", "[][--a][][--b][B: 1]"},
        {MULTI("a") "\n\n--a\n" MULTI("b") "\n\n--b\n\nx\n--a\nC: d\n",
         "[" MULTI("a") "][" MULTI("b") "][C: d]", "[][--a][][--b][][x][--a]"},
        {MULTI("\"\"") "\n\n--\nA: b\n", "[" MULTI("\"\"") "]", "[][--][A: b]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check(cases[i].message, true, true, cases[i].headers);
        check(cases[i].message, true, false, cases[i].body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_mime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
