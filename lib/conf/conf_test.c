/* SPDX-License-Identifier: MIT */
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "conf/settings.h"
#include "sys/clock.h"
#include "testing/test.h"

static struct conf *open_text(const char *text)
{
    struct err err;
    struct conf *conf = conf_open_text("/nowhere", text, &err);
    if (conf == NULL) {
        fail_msg("%s", err.text);
    }
    return conf;
}

static void test_values(void **state)
{
    (void)state;
    struct conf *conf = open_text("myhostname = mail.example.com\n"
                                  "message_size_limit = 99999999999\n"
                                  "smtpd_helo_required = YES\n"
                                  "queue_run_delay = 2m\n"
                                  "delay_warning_time = 4\n"
                                  "luser_relay = admin+$local\n"
                                  "smtpd_banner = $myhostname\n"
                                  "# comment\n"
                                  "  ESMTP $$ $(mail_name)\n");
    assert_string_equal(conf_str(conf, P_myhostname), "mail.example.com");
    assert_string_equal(conf_str(conf, P_mydomain), "example.com");
    assert_string_equal(conf_str(conf, P_myorigin), "mail.example.com");
    assert_string_equal(conf_str(conf, P_smtpd_banner),
                        "mail.example.com  ESMTP $ Postfix");
    assert_string_equal(conf_raw(conf, P_luser_relay), "admin+$local");
    assert_true(conf_long(conf, P_message_size_limit) == 99999999999);
    assert_true(conf_bool(conf, P_smtpd_helo_required));
    assert_false(conf_bool(conf, P_soft_bounce));
    assert_true(conf_time(conf, P_queue_run_delay) == 120 * (int64_t)CLOCK_SECOND);
    /* the unit of the default, hours, holds for a bare number */
    assert_true(conf_time(conf, P_delay_warning_time) ==
                4 * 3600 * (int64_t)CLOCK_SECOND);
    assert_int_equal(conf_int(conf, P_smtpd_hard_error_limit), 20);
    assert_true(conf_time(conf, P_smtpd_timeout) == 300 * (int64_t)CLOCK_SECOND);
    assert_string_equal(conf_str(conf, P_config_directory), "/nowhere");
    assert_string_equal(conf_str(conf, P_syslog_name), "postfix");
    conf_free(&conf);
    assert_null(conf);
}

static void test_override_wins(void **state)
{
    (void)state;
    struct conf *conf = open_text("syslog_name = a\nstress =\n");
    conf_override(conf, "syslog_name", "postfix/$service_name");
    conf_override(conf, "service_name", "relay");
    conf_override(conf, "stress", "yes");
    assert_string_equal(conf_str(conf, P_syslog_name), "postfix/relay");
    assert_int_equal(conf_int(conf, P_smtpd_hard_error_limit), 1);
    assert_true(conf_is_set(conf, "service_name"));
    conf_free(&conf);
}

static void test_transports(void **state)
{
    (void)state;
    struct conf *conf = open_text("slow_destination_concurrency_limit = $two\n"
                                  "two = 2\n"
                                  "slow_destination_rate_delay = 1m\n"
                                  "default_destination_rate_delay = 5\n");
    static const char limit[] = "_destination_concurrency_limit";
    enum param row = P_default_destination_concurrency_limit;
    assert_int_equal(conf_transport_int(conf, "slow", limit, row), 2);
    assert_int_equal(conf_transport_int(conf, "smtp", limit, row), 20);
    assert_int_equal(conf_transport_int(conf, "local", limit, row), 2);
    assert_true(conf_transport_time(conf, "slow", "_destination_rate_delay",
                                    P_default_destination_rate_delay) ==
                60 * (int64_t)CLOCK_SECOND);
    assert_true(conf_transport_time(conf, "smtp", "_destination_rate_delay",
                                    P_default_destination_rate_delay) ==
                5 * (int64_t)CLOCK_SECOND);
    assert_string_equal(
        conf_transport_str(conf, "slow", "_destination_concurrency_positive_feedback",
                           P_default_destination_concurrency_positive_feedback),
        "1");
    conf_free(&conf);
}

static void test_names_of_users(void **state)
{
    (void)state;
    struct conf *conf = open_text("strict = reject, $more\nmore = permit\n");
    assert_string_equal(conf_lookup(conf, "strict"), "reject, permit");
    assert_string_equal(conf_lookup(conf, "strict"), "reject, permit");
    assert_string_equal(conf_lookup(conf, "mail_name"), "Postfix");
    assert_null(conf_lookup(conf, "nobody_defines_this"));
    conf_free(&conf);
}

static void test_host_names(void **state)
{
    (void)state;
    struct conf *conf = open_text("mydomain = example.org\n");
    const char *name = conf_str(conf, P_myhostname);
    char host[256];
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    if (strchr(host, '.') == NULL) {
        char *expected = xasprintf("%s.example.org", host);
        assert_string_equal(name, expected);
        free(expected);
    }
    conf_free(&conf);

    conf = open_text("myhostname = single\n");
    assert_string_equal(conf_str(conf, P_mydomain), "localdomain");
    conf_free(&conf);

    /* each is made from the other: no loop */
    conf = open_text("myhostname = a.$mydomain\n");
    assert_string_equal(conf_str(conf, P_myhostname), "a.localdomain");
    conf_free(&conf);
    conf = open_text("mydomain = $myhostname\n");
    assert_non_null(conf_str(conf, P_mydomain));
    conf_free(&conf);
}

static void test_refuses_bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a = b\n\nrelayhost\n",
         "/nowhere/main.cf, line 3: missing '=' after attribute name: \"relayhost\""},
        {"a b = c\n  d\n",
         "/nowhere/main.cf, line 1: missing '=' after attribute name: \"a b = c  d\""},
        {"#\n= c\n", "/nowhere/main.cf, line 2: missing attribute name: \"= c\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;
        assert_null(conf_open_text("/nowhere", cases[i].text, &err));
        assert_int_equal(err.outcome, PERMFAIL);
        assert_string_equal(err.text, cases[i].message);
    }
}

struct heard {
    char text[2000];
};

static void hear(enum log_level level, const char *text, void *context)
{
    struct heard *heard = context;
    (void)level;
    (void)snprintf(heard->text + strlen(heard->text),
                   sizeof(heard->text) - strlen(heard->text), "%s\n", text);
}

static void test_warns(void **state)
{
    (void)state;
    char *dir = test_make_dir();
    struct heard heard = {""};
    struct err err;
    test_write_file(dir, "main.cf",
                    "  lost = 1\n"
                    "inet_interfaces = localhost\n"
                    "# \xe3\x80\x80 in a comment is fine\n"
                    "inet_interfaces = \n  all\n"
                    "myorigin = \xc3\xa9\xe3\x80\x80$mydomain\n"
                    "relayhost = a\xc2\xa0\n"
                    "\tmydomain = b\n  not = known\n");
    log_init("conf_test");
    log_set_stderr(false);
    log_set_hook(hear, &heard);
    struct conf *conf = conf_open(dir, true, &err);
    log_set_hook(NULL, NULL);
    assert_non_null(conf);
    char *expected = xasprintf(
        "warning: %s/main.cf, line 6, column 13: U+3000, an ideographic space, is text "
        "here, not white space\n"
        "warning: %s/main.cf, line 7, column 14: U+00A0, a no-break space, is text "
        "here, not white space\n"
        "warning: %s/main.cf, line 8: starts with white space: this is no setting of "
        "mydomain but more of the setting above\n"
        "warning: %s/main.cf: logical line must not start with whitespace: \"  lost = "
        "1\"\n"
        "warning: %s/main.cf, line 4: overriding earlier entry: "
        "inet_interfaces=localhost\n",
        dir, dir, dir, dir, dir);
    assert_string_equal(heard.text, expected);
    assert_string_equal(conf_str(conf, P_inet_interfaces), "all");
    free(expected);
    conf_free(&conf);
    test_remove_dir(dir);
}

static void test_missing_file(void **state)
{
    (void)state;
    struct err err;
    assert_null(conf_open("/nonexistent", false, &err));
    assert_string_equal(err.text,
                        "open /nonexistent/main.cf: No such file or directory");
}

static void test_walks_in_order(void **state)
{
    (void)state;
    struct conf *conf = open_text("b = 2\na = 1\nb = 3\n");
    size_t cursor = 0;
    const struct conf_setting *setting = conf_next_setting(conf, &cursor);
    assert_string_equal(setting->name, "a");
    setting = conf_next_setting(conf, &cursor);
    assert_string_equal(setting->name, "b");
    assert_string_equal(setting->value, "3");
    assert_int_equal(setting->line, 3);
    assert_string_equal(conf_next_setting(conf, &cursor)->name, "config_directory");
    assert_null(conf_next_setting(conf, &cursor));
    conf_free(&conf);
}

static void test_lists(void **state)
{
    (void)state;
    struct view rest = VIEW(" a,b ,, c:{ x, {y} z}d\t} e{");
    struct view item;
    static const char *const expected[] = {"a", "b", "c:{ x, {y} z}d", "}", "e{"};
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_true(conf_list_next(&rest, &item));
        assert_view_equal(item, expected[i]);
    }
    assert_false(conf_list_next(&rest, &item));
}

static void test_caller_names(void **state)
{
    (void)state;
    struct err err;
    STR_AUTO struct str out = {0};
    struct conf *conf = open_text("a = $b\nb = x\n");
    assert_int_equal(conf_expand(conf, "<$a${nope?z}>", &out, &err), OK);
    assert_string_equal(str_ptr(&out), "<x>");
    assert_int_equal(conf_expand(conf, "${a", &out, &err), PERMFAIL);
    assert_string_equal(err.text, "truncated macro reference: \"${a\"");
    conf_free(&conf);
}

static bool old_default(const char *text, enum param param)
{
    struct conf *conf = open_text(text);
    bool old = conf_uses_old_default(conf, param);
    conf_free(&conf);
    return old;
}

static void test_old_defaults(void **state)
{
    (void)state;
    assert_true(old_default("", P_append_dot_mydomain));
    assert_true(old_default("", P_relay_domains));
    assert_true(old_default("compatibility_level = 1\n", P_relay_domains));
    assert_false(old_default("compatibility_level = 1\n", P_append_dot_mydomain));
    assert_false(old_default("compatibility_level = 3.6\n", P_relay_domains));
    /* set, be it to the same: somebody wanted it */
    assert_false(old_default("append_dot_mydomain = yes\n", P_append_dot_mydomain));
    /* no level in the default */
    assert_false(old_default("", P_myhostname));
    assert_false(old_default("", P_smtpd_timeout));
    assert_false(old_default("", P_luser_relay));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),         cmocka_unit_test(test_override_wins),
        cmocka_unit_test(test_transports),     cmocka_unit_test(test_names_of_users),
        cmocka_unit_test(test_host_names),     cmocka_unit_test(test_refuses_bad_lines),
        cmocka_unit_test(test_warns),          cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_walks_in_order), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_caller_names),   cmocka_unit_test(test_old_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
