/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "base/check.h"
#include "submit/sendmail/sendmail.h"

static const struct {
    const char *message;
    const char *recipients; /* separated by '|' */
} CASES[] = {
    {"To: ann, \"Bob\" <bob>\nCc: cat@localhost\nBcc: dan\nSubject: x\n\nTo: no\n",
     "ann|bob|cat@localhost|dan"},
    {"To: ann\nResent-To: bob\nResent-Cc: cat\n", "bob|cat"},
    {"To: ann\nResent-From: joe\nBcc: bob\n", "ann|bob"},
    {"Subject: nobody\n\nTo: body\n", ""},
    {"From: x\nbad line\nTo: bob\n", ""},
    {"To: a,\n\tb,\n c\nX: y\n", "a|b|c"},
    {"To: a, <@r:b@x>, list:c,\"d e\"@f;, j (c), bad <>,\n", "a|b@x|c|d e@f|j"},
    {"Apparently-To: a\n", ""},
    {"tO : a\n", "a"},
    {" To: a\n", ""},
};

static void test_recipients(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct extraction extraction = {0};
        struct str out = {0};
        struct view *addresses;
        struct view rest = view_cstr(CASES[i].message);
        while (rest.len > 0) {
            size_t lf = view_index(rest, '\n');
            extract_line(&extraction, view_first(rest, lf));
            rest = view_from(rest, lf + 1);
        }
        size_t count = extract_recipients(&extraction, &addresses);
        for (size_t k = 0; k < count; k++) {
            str_add_cstr(&out, k > 0 ? "|" : "");
            str_add(&out, addresses[k]);
        }
        assert_string_equal(str_ptr(&out), CASES[i].recipients);
        str_done(&out);
        extract_done(&extraction);
    }
}

static void test_options(void **state)
{
    (void)state;
    static const char *const line[] = {"sendmail", "-i",         "-t",
                                       "-f",       "a@b",        "-FName",
                                       "-oem",     "-N",         "success,DELAY",
                                       "-R",       "hdrs",       "-V",
                                       "id",       "-B8BITMIME", "-v",
                                       "r1",       "-f"};
    char *argv[ARRAY_SIZE(line) + 1] = {NULL};
    struct options options;
    for (size_t i = 0; i < ARRAY_SIZE(line); i++) {
        argv[i] = (char *)(uintptr_t)line[i];
    }
    options_parse("sendmail", (int)ARRAY_SIZE(line), argv, &options);
    assert_int_equal(options.mode, MODE_DELIVER);
    assert_true(options.ignore_dots && options.extract_recipients);
    assert_string_equal(options.sender, "a@b");
    assert_string_equal(options.fullname, "Name");
    assert_int_equal(options.dsn_notify, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY);
    assert_int_equal(options.dsn_ret, DSN_RET_HDRS);
    assert_string_equal(options.envelope_id, "id");
    assert_string_equal(options.encoding, "8bit");
    assert_int_equal(options.verbose, 1);
    /* Options end where the recipients begin. */
    assert_string_equal(options.recipients[0], "r1");
    assert_string_equal(options.recipients[1], "-f");
    assert_null(options.recipients[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recipients),
                                       cmocka_unit_test(test_options)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
