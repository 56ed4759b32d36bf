/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/settings.h"
#include "testing/test.h"

struct heard {
    char text[4000];
    int count;
};

/* Without what is allowed, which has its own test. */
static void hear(void *context, const char *file, int line, const char *text)
{
    struct heard *heard = context;
    size_t used = strlen(heard->text);
    const char *allowed = strstr(text, " (allowed: ");
    int len = (int)(allowed != NULL ? (size_t)(allowed - text) : strlen(text));
    (void)file;
    heard->count++;
    (void)snprintf(heard->text + used, sizeof(heard->text) - used, "%d: %.*s\n", line,
                   len, text);
}

static void hear_allowed(void *context, const char *file, int line, const char *text)
{
    struct heard *heard = context;
    const char *allowed = strstr(text, " (allowed: ");
    (void)file;
    (void)line;
    assert_non_null(allowed);
    (void)snprintf(heard->text, sizeof(heard->text), "%s", allowed);
}

static void check(const char *text, const char *expected)
{
    struct err err;
    struct heard heard = {"", 0};
    struct conf *conf = conf_open_text("/nowhere", text, &err);
    assert_non_null(conf);
    assert_true(conf_validate(conf, hear, &heard) == (expected[0] == '\0'));
    assert_string_equal(heard.text, expected);
    conf_free(&conf);
}

static void test_numbers(void **state)
{
    (void)state;
    check("message_size_limit = big\n",
          "1: bad numerical configuration: message_size_limit = big\n");
    check("message_size_limit = 10M\n",
          "1: bad numerical configuration: message_size_limit = 10M\n");
    check("message_size_limit =\n",
          "1: bad numerical configuration: message_size_limit = \n");
    check("hash_queue_depth = 99999999999\n",
          "1: bad numerical configuration: hash_queue_depth = 99999999999\n");
    check("a = 1\nhash_queue_depth = 0\n",
          "2: invalid hash_queue_depth parameter value 0 < 1\n");
    check("message_size_limit = 99999999999999999999\n",
          "1: bad numerical configuration: message_size_limit = "
          "99999999999999999999\n");
}

static void test_other_types(void **state)
{
    (void)state;
    check("smtpd_helo_required = maybe\n",
          "1: bad boolean configuration: smtpd_helo_required = maybe\n");
    check("queue_run_delay = 5x\n",
          "1: parameter queue_run_delay: bad time value or unit: 5x\n");
    check("queue_run_delay = 1.5h\n",
          "1: parameter queue_run_delay: bad time value or unit: 1.5h\n");
    check("queue_run_delay = 999999999w\n",
          "1: parameter queue_run_delay: bad time value or unit: 999999999w\n");
    check("ipc_timeout = 0\n", "1: invalid ipc_timeout: 0 (min 1)\n");
    check("in_flow_delay = 11s\n", "1: invalid in_flow_delay: 11 (max 10)\n");
    check("mail_owner =\n", "1: bad string length 0 < 1: mail_owner = \n");
    check("compatibility_level = 1.x\n",
          "1: malformed compatibility level syntax: \"1.x\"\n");
    check("slow_destination_rate_delay = never\n",
          "1: parameter slow_destination_rate_delay: bad time value or unit: never\n");
}

static void test_says_what_is_allowed(void **state)
{
    static const char *const rows[][2] = {
        {"message_size_limit = big\n", "a whole number of at least 0"},
        {"default_delivery_slot_discount = 101\n", "a whole number from 0 to 100"},
        {"biff = 2\n", "yes or no"},
        {"queue_run_delay = 5x\n",
         "a time of at least 1s: a number and s, m, h, d or w (without a unit: s)"},
        {"maximal_queue_lifetime = 5x\n",
         "a time from 0s to 100d: a number and s, m, h, d or w (without a unit: d)"},
        {"mail_owner =\n", "a text of 1 or more characters"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err;
        struct heard heard = {"", 0};
        char expected[200];
        struct conf *conf = conf_open_text("/nowhere", rows[i][0], &err);
        assert_false(conf_validate(conf, hear_allowed, &heard));
        (void)snprintf(expected, sizeof(expected), " (allowed: %s)", rows[i][1]);
        assert_string_equal(heard.text, expected);
        conf_free(&conf);
    }
}

static void collect(void *context, const char *file, int line, const char *name)
{
    struct heard *heard = context;
    size_t used = strlen(heard->text);
    assert_string_equal(file, "/nowhere/main.cf");
    (void)snprintf(heard->text + used, sizeof(heard->text) - used, "%d: %s\n", line,
                   name);
}

/* QMQP is far from being built: what stands in for all that is known only by name. */
static void test_unread(void **state)
{
    struct err err;
    struct heard heard = {"", 0};
    (void)state;
    struct conf *conf = conf_open_text("/nowhere",
                                       "myhostname = a.example\n"
                                       "qmqpd_timeout = 3s\n"
                                       "own = x\n"
                                       "slow_destination_concurrency_limit = 1\n"
                                       "qmqpd_authorized_clients =\n"
                                       "qmqpd_client_port_logging = no\n"
                                       "biff = no\n"
                                       "smtpd_banner = $own\n"
                                       "qmqpd_error_delay = 1s\n",
                                       &err);
    conf_each_unread(conf, collect, &heard);
    assert_string_equal(heard.text, "9: qmqpd_error_delay\n2: qmqpd_timeout\n");
    conf_free(&conf);
}

static void test_language(void **state)
{
    (void)state;
    check("smtpd_banner = ${full\n", "1: truncated macro reference: \"${full\"\n");
    check("mine = ${a-b}\n", "1: attribute name syntax error at: \"...a>>>-b\"\n");
    check("luser_relay = ${user\n", "");
    /* a default that is made from something wrong does not end the process */
    check("mydomain = ${a-b}\nsmtpd_banner = $myhostname\n",
          "1: attribute name syntax error at: \"...a>>>-b\"\n");
    check("myhostname = ${a-b}\n",
          "1: attribute name syntax error at: \"...a>>>-b\"\n");
}

static void test_all_mistakes(void **state)
{
    (void)state;
    check("soft_bounce = 1\nbiff = 2\n", "2: bad boolean configuration: biff = 2\n"
                                         "1: bad boolean configuration: soft_bounce = "
                                         "1\n");
    check("", "");
    check("own = 1\nsmtpd_banner = $own\nqueue_run_delay = 1h\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_says_what_is_allowed),
        cmocka_unit_test(test_language),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_all_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
