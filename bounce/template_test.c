/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bounce/bounce.h"

static void note_log(enum log_level level, const char *text, void *context)
{
    struct str *log = context;
    (void)level;
    str_add_cstr(log, text);
    str_add_byte(log, '\n');
}

/* Load with bounce_template_file = FILE_TEXT (NULL: none) and expand KIND. */
static void expand(const char *file_text, enum template_kind kind, struct template *of,
                   struct str *out, struct str *log)
{
    char *dir = test_make_dir();
    struct str conf_text = {0};
    struct templates templates;
    str_add_cstr(&conf_text, "myhostname = mail.example.com\ndelay_warning_time = 4\n");
    if (file_text != NULL) {
        test_write_file(dir, "bounce.cf", file_text);
        str_printf(&conf_text, "bounce_template_file = %s/bounce.cf\n", dir);
    }
    struct conf *conf = conf_open_text(dir, str_ptr(&conf_text), NULL);
    assert_non_null(conf);
    log_set_stderr(false);
    log_set_hook(note_log, log);
    templates_load(&templates, conf);
    template_expand(&templates.of[kind], kind, conf, out);
    log_set_hook(NULL, NULL);
    *of = templates.of[kind];
    of->subject = view_cstr(xviewdup(of->subject)); /* freed by the caller */
    templates_free(&templates);
    conf_free(&conf);
    str_done(&conf_text);
    test_remove_dir(dir);
}

static void check(const char *file_text, enum template_kind kind, const char *subject,
                  const char *text, const char *warning)
{
    struct template of;
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

static void test_bad_file(void **state)
{
    (void)state;
    check("failure_template = <<EOT\nSubject: x\n\nno end\n", TEMPLATE_FAILURE,
          "Undelivered Mail Returned to Sender", "mail system", "bad template near");
    check("nonsense\n", TEMPLATE_FAILURE, "Undelivered Mail Returned to Sender",
          "mail system", "bad template near \"nonsense\"");
    check("failure_template = <<EOT\nSubject: y\nX-Other: z\n\nb\nEOT\n",
          TEMPLATE_FAILURE, "y", "b\n",
          "unknown \"X-Other\" header in failure template");
    check("delay_template = <<E\nSubject: d\n\n$delay_warning_time_weeks\nE\n",
          TEMPLATE_DELAY, "d", "0\n",
          "zero result in delay template conversion of parameter "
          "\"delay_warning_time_weeks\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_built_in),
                                       cmocka_unit_test(test_file),
                                       cmocka_unit_test(test_bad_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
