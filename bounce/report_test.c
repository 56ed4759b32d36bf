/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "base/check.h"
#include "bounce/bounce.h"

#define WORDS12 "word word word word word word word word word word word word"

static void test_wrap(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"short", "short\n"},
        {"", ""},
        {"<a@l62.example>: " WORDS12 " wo end of it",
         "<a@l62.example>: " WORDS12 " wo\n    end of it\n"},
        {"<a@l63.example>: " WORDS12 " wor end of it",
         "<a@l63.example>: " WORDS12 "\n    wor end of it\n"},
        {"<b@long.example>: "
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxx"
         " tail",
         "<b@long.example>:\n    "
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxx"
         "\n    tail\n"},
        {"line\r\nInjected: x", "line??Injected: x\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct str out = {0};
        report_wrap(view_cstr(cases[i][0]), &out);
        assert_string_equal(str_ptr(&out), cases[i][1]);
        str_done(&out);
    }
}

static void test_text(void **state)
{
    (void)state;
    struct delivery_record record = {.recipient = VIEW("a b@x.example"),
                                     .original = VIEW("list"),
                                     .reason = VIEW("nowhere")};
    struct str out = {0};
    report_text(&record, &out);
    assert_string_equal(str_ptr(&out),
                        "<\"a b\"@x.example> (expanded from <list>): nowhere\n");
    str_clear(&out);
    record.recipient = record.original = VIEW("a@b");
    report_text(&record, &out);
    assert_string_equal(str_ptr(&out), "<a@b>: nowhere\n");
    str_done(&out);
}

static void test_fields(void **state)
{
    (void)state;
    struct delivery_record record = {.recipient = VIEW("bad@far.example"),
                                     .dsn_orcpt = VIEW("rfc822;orig@far.example"),
                                     .dsn = VIEW("5.1.1"),
                                     .action = VIEW("failed"),
                                     .reason = VIEW("host x said: 550 no"),
                                     .mta = VIEW("mx.example"),
                                     .diagnostic_type = VIEW("smtp"),
                                     .diagnostic = VIEW("550 no")};
    struct str out = {0};
    report_fields(&record, 0, &out);
    assert_string_equal(str_ptr(&out), "Final-Recipient: rfc822; bad@far.example\n"
                                       "Original-Recipient: rfc822;orig@far.example\n"
                                       "Action: failed\n"
                                       "Status: 5.1.1\n"
                                       "Remote-MTA: dns; mx.example\n"
                                       "Diagnostic-Code: smtp; 550 no\n");
    str_clear(&out);
    struct delivery_record local = {.recipient = VIEW("n\xc3\xa9@far.example"),
                                    .dsn = VIEW("4.4.0"),
                                    .action = VIEW("delayed"),
                                    .reason = VIEW("not now")};
    report_fields(&local, INT64_C(1000000000) * 1000000, &out);
    assert_non_null(
        strstr(str_ptr(&out), "Final-Recipient: utf-8; n\xc3\xa9@far.example\n"));
    assert_non_null(strstr(str_ptr(&out), "Diagnostic-Code: X-Postfix; not now\n"
                                          "Will-Retry-Until: Sun, "));
    assert_null(strstr(str_ptr(&out), "Original-Recipient"));
    str_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrap),
                                       cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
