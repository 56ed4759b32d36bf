/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/notice_template.h"

static void note_log(enum log_level level, const char *text, void *context)
{
    struct str *log = context;
    (void)level;
    str_add_cstr(log, text);
    str_add_byte(log, '\n');
}

/* Load with bounce_template_file = FILE_TEXT (NULL: none) and expand KIND. */
static void expand(const char *file_text, enum template_kind kind,
                   struct notice_template *of, struct str *out, struct str *log)
{
    char *dir = test_make_dir();
    struct str conf_text = {0};
    struct notice_templates templates;
    str_add_cstr(&conf_text, "myhostname = mail.example.com\ndelay_warning_time = 4\n");
    if (file_text != NULL) {
        test_write_file(dir, "bounce.cf", file_text);
        str_printf(&conf_text, "bounce_template_file = %s/bounce.cf\n", dir);
    }
    struct conf *conf = conf_open_text(dir, str_ptr(&conf_text), NULL);
    assert_non_null(conf);
    log_set_stderr(false);
    log_set_hook(note_log, log);
    notice_templates_load(&templates, conf);
    notice_template_expand(&templates.of[kind], kind, conf, out);
    log_set_hook(NULL, NULL);
    *of = templates.of[kind];
    of->subject = view_cstr(xviewdup(of->subject)); /* freed by the caller */
    notice_templates_free(&templates);
    conf_free(&conf);
    str_done(&conf_text);
    test_remove_dir(dir);
}

static void check(const char *file_text, enum template_kind kind, const char *subject,
                  const char *text, const char *warning)
{
    struct notice_template of;
    struct str out = {0};
    struct str log = {0};
    expand(file_text, kind, &of, &out, &log);
    assert_view_equal(of.subject, subject);
    assert_non_null(strstr(str_ptr(&out), text));
    if (warning == NULL) {
        assert_int_equal(log.len, 0);
    } else {
        assert_non_null(strstr(str_ptr(&log), warning));
    }
    free((void *)(uintptr_t)of.subject.ptr);
    str_done(&out);
    str_done(&log);
}

static void test_built_in(void **state)
{
    (void)state;
    check(NULL, TEMPLATE_FAILURE, "Undelivered Mail Returned to Sender",
          "This is the mail system at host mail.example.com.\n", NULL);
    check(NULL, TEMPLATE_DELAY, "Delayed Mail (still being retried)",
          "could not be delivered for more than 4 hour(s).\nIt will be retried until "
          "it is 5 "
          "day(s) old.\n",
          NULL);
    check(NULL, TEMPLATE_SUCCESS, "Successful Mail Delivery Report",
          "successfully delivered", NULL);
    check(NULL, TEMPLATE_VERIFY, "Mail Delivery Status Report", "that you requested.\n",
          NULL);
}

static void test_file(void **state)
{
    (void)state;
    static const char text[] =
        "# comment\n\nfailure_template = <<EOT\nSubject: Could not\n"
        "From: Robot <x>\n\nHost $myhostname, ${maximal_queue_lifetime_days}"
        " days, max $message_size_limit\n\n   Robot\nEOT\n";
    check(text, TEMPLATE_FAILURE, "Could not",
          "Host mail.example.com, 5 days, max 10240000\n\n   Robot\n", NULL);
    check(text, TEMPLATE_VERIFY, "Mail Delivery Status Report", "requested", NULL);
}

#define STAYS_BUILT_IN "Undelivered Mail Returned to Sender", "mail system"

static void test_bad_file(void **state)
{
    (void)state;
    check("failure_template = <<EOT\nSubject: x\n\nno end\n", TEMPLATE_FAILURE, "x",
          "no end\n", "line 4: missing \"EOT\" end marker");
    check("# first\nnonsense\n", TEMPLATE_FAILURE, STAYS_BUILT_IN,
          "line 2: missing '=' after attribute name: \"nonsense\"");
    check("failure_template = <<\n", TEMPLATE_FAILURE, STAYS_BUILT_IN,
          "line 1: missing end marker after <<");
    check("other_template = <<E\nSubject: x\n\nb\nE\n", TEMPLATE_FAILURE,
          STAYS_BUILT_IN, "line 1: unknown template name: other_template -- ignoring");
    check("delay_template = <<E\nSubject: d\n\n$delay_warning_time_weeks\nE\n",
          TEMPLATE_DELAY, "d", "0\n",
          "zero result in delay template conversion of parameter "
          "\"delay_warning_time_weeks\"");
}

/* One bad line, and the built-in text goes out. */
static void test_bad_template(void **state)
{
    (void)state;
    check("failure_template = <<EOT\nSubject: y\nX-Other: z\n\nb\nEOT\n",
          TEMPLATE_FAILURE, STAYS_BUILT_IN,
          "unknown \"X-Other\" header label in failure template -- ignoring");
    check("failure_template = <<E\nSubject:\n\nb\nE\n", TEMPLATE_FAILURE,
          STAYS_BUILT_IN, "empty \"Subject\" header value in failure template");
    check("failure_template = <<E\nSubject: y\n\nE\n", TEMPLATE_FAILURE, STAYS_BUILT_IN,
          "missing message text in failure template -- ignoring");
    check("failure_template = <<E\nSubject: y\n\nb\xc3\xbc\nE\n", TEMPLATE_FAILURE,
          STAYS_BUILT_IN, "8-bit message text in failure template");
    check("failure_template = <<E\nCharset: utf-8\nSubject: y\n\nb\xc3\xbc\nE\n",
          TEMPLATE_FAILURE, "y", "b\xc3\xbc\n", NULL);
}

/* A mistake in one line of a body costs that line's $names, not the notice. */
static void test_bad_names(void **state)
{
    (void)state;
    check("failure_template = <<E\nSubject: y\n\n$myhostname ${bad\nE\n",
          TEMPLATE_FAILURE, "y", "$myhostname ${bad\n",
          "bad $name syntax in failure template: $myhostname ${bad");
    check("failure_template = <<E\nSubject: y\n\na$nosuch.b\nE\n", TEMPLATE_FAILURE,
          "y", "a.b\n", "undefined $name in failure template: a$nosuch.b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in), cmocka_unit_test(test_file),
        cmocka_unit_test(test_bad_file), cmocka_unit_test(test_bad_template),
        cmocka_unit_test(test_bad_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
