/* SPDX-License-Identifier: MIT */
#include "smtpd/esmtp_parameters.h"

#include "base/check.h"
#include "smtpd/ehlo.h"
#include "testing/test.h"

static void test_xtext(void **state)
{
    static const struct {
        const char *in, *out; /* NULL: malformed */
    } rows[] = {
        {"abc", "abc"}, {"a+2Bb", "a+b"}, {"+2b", "+"},   {"a+3D", "a="}, {"", NULL},
        {"+", NULL},    {"+2", NULL},     {"a+2G", NULL}, {"++", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STR_AUTO struct str out = {0};
        bool good = xtext_decode(view_cstr(rows[i].in), &out);
        assert_int_equal(good, rows[i].out != NULL);
        if (good) {
            assert_string_equal(str_ptr(&out), rows[i].out);
        }
    }
}

struct refusal {
    const char *text, *reply; /* NULL: accepted */
    unsigned hidden;
};

static const struct refusal MAIL_ROWS[] = {
    {"", NULL, 0},
    {"SIZE=0 BODY=7BIT BODY=8bitmime size=5", NULL, 0},
    {"SIZE", "555 5.5.4 Unsupported option: SIZE", 0},
    {"SIZE=", "501 5.5.4 Bad message size syntax", 0},
    {"SIZE=-1", "501 5.5.4 Bad message size syntax", 0},
    {"SIZE=99999999999999999999",
     "552 5.3.4 Message size exceeds file system imposed limit", 0},
    {"BODY=9BIT", "555 5.5.4 Unsupported option: BODY=9BIT", 0},
    {"BODY=8BITMIME", "555 5.5.4 Unsupported option: BODY=8BITMIME", EHLO_8BITMIME},
    {"SMTPUTF8", NULL, 0},
    {"SMTPUTF8", "555 5.5.4 Unsupported option: SMTPUTF8", EHLO_SMTPUTF8},
    {"SMTPUTF8=yes", "555 5.5.4 Unsupported option: SMTPUTF8=yes", 0},
    {"RET=full ENVID=a+2Bb", NULL, 0},
    {"RET=FULL RET=FULL", "501 5.5.4 Bad RET parameter syntax", 0},
    {"RET=x", "501 5.5.4 Bad RET parameter syntax", 0},
    {"RET=FULL", "501 5.7.1 DSN support is disabled", EHLO_DSN},
    {"ENVID=", "501 5.5.4 Bad ENVID parameter syntax", 0},
    {"ENVID=a ENVID=b", "501 5.5.4 Bad ENVID parameter syntax", 0},
    {"ENVID=+0A", "501 5.5.4 Bad ENVID parameter syntax", 0},
    {"AUTH=<>", NULL, 0},
    {"AUTH=+0", "501 5.5.4 Error: bad AUTH= parameter", 0},
    {"FOO SIZE=1", "555 5.5.4 Unsupported option: FOO", 0},
};

static const struct refusal RCPT_ROWS[] = {
    {"", NULL, 0},
    {"NOTIFY=success,DELAY", NULL, 0},
    {"NOTIFY=NEVER", NULL, 0},
    {"NOTIFY=NEVER,DELAY", "501 5.5.4 Error: Bad NOTIFY parameter syntax", 0},
    {"NOTIFY=", "501 5.5.4 Error: Bad NOTIFY parameter syntax", 0},
    {"NOTIFY=DELAY NOTIFY=DELAY", "501 5.5.4 Error: Bad NOTIFY parameter syntax", 0},
    {"NOTIFY=DELAY", "501 5.7.1 DSN support is disabled", EHLO_DSN},
    {"ORCPT=rfc822;", NULL, 0},
    {"ORCPT=;a", "501 5.5.4 Error: Bad ORCPT parameter syntax", 0},
    {"ORCPT=foo", "501 5.5.4 Error: Bad ORCPT parameter syntax", 0},
    {"ORCPT=rfc822;a+zz", "501 5.5.4 Error: Bad ORCPT parameter syntax", 0},
    {"X=1", "555 5.5.4 Unsupported option: X=1", 0},
};

static void check_reply(const struct refusal *row, bool accepted, const char *error)
{
    assert_int_equal(accepted, row->reply == NULL);
    if (!accepted) {
        assert_string_equal(error, row->reply);
    }
}

static void test_refusals(void **state)
{
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(MAIL_ROWS); i++) {
        const struct refusal *row = &MAIL_ROWS[i];
        struct mail_parameters out;
        const char *error = NULL;
        bool good = mail_parameters_parse(view_cstr(row->text), row->hidden, &arena,
                                          &out, &error);
        check_reply(row, good, error);
    }
    for (size_t i = 0; i < ARRAY_SIZE(RCPT_ROWS); i++) {
        const struct refusal *row = &RCPT_ROWS[i];
        struct rcpt_parameters out;
        const char *error = NULL;
        bool good = rcpt_parameters_parse(view_cstr(row->text), row->hidden, &arena,
                                          &out, &error);
        check_reply(row, good, error);
    }
    arena_clear(&arena);
}

static void test_values(void **state)
{
    struct arena arena = {0};
    struct mail_parameters mail;
    struct rcpt_parameters rcpt;
    const char *error;
    (void)state;
    assert_true(mail_parameters_parse(VIEW(""), 0, &arena, &mail, &error));
    assert_int_equal(mail.size, -1);
    assert_int_equal(mail.body, BODY_UNKNOWN);
    assert_true(mail_parameters_parse(
        VIEW("SIZE=123 BODY=8BITMIME RET=HDRS ENVID=e+3D1 AUTH=a@b SMTPUTF8"), 0,
        &arena, &mail, &error));
    assert_int_equal(mail.size, 123);
    assert_int_equal(mail.body, BODY_8BITMIME);
    assert_int_equal(mail.ret, DSN_RET_HDRS);
    assert_view_equal(mail.envid, "e=1");
    assert_view_equal(mail.auth_sender, "a@b");
    assert_true(mail.smtputf8);
    assert_true(rcpt_parameters_parse(VIEW("ORCPT=rfc822;a+2Bb NOTIFY=DELAY,FAILURE"),
                                      0, &arena, &rcpt, &error));
    assert_view_equal(rcpt.orcpt, "rfc822;a+b");
    assert_int_equal(rcpt.notify, DSN_NOTIFY_DELAY | DSN_NOTIFY_FAILURE);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xtext),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
