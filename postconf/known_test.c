/* SPDX-License-Identifier: MIT */
#include "postconf/known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "testing/test.h"

struct heard {
    char text[2000];
};

static void hear(enum log_level level, const char *text, void *context)
{
    struct heard *heard = context;
    size_t used = strlen(heard->text);
    (void)level;
    (void)snprintf(heard->text + used, sizeof(heard->text) - used, "%s\n", text);
}

/* The names of CLASS_USER, and what is said about the rest. */
static void check(const char *main_cf, const char *master_cf, const char *users,
                  const char *warnings)
{
    char *dir = test_make_dir();
    struct services services;
    struct heard heard = {""};
    struct err err;
    size_t count;
    STR_AUTO struct str found = {0};
    test_write_file(dir, "master.cf", master_cf);
    services_read(dir, false, &services);
    free(services.file);
    services.file = strdup("master.cf");
    struct conf *conf = conf_open_text("", main_cf, &err);
    assert_non_null(conf);
    log_set_hook(hear, &heard);
    struct known *known = known_new(conf, &services, true);
    known_report_unused(known, true);
    log_set_hook(NULL, NULL);
    const struct known_parameter *const *all = known_sorted(known, &count);
    for (size_t i = 0; i < count; i++) {
        if (all[i]->class == CLASS_USER) {
            str_printf(&found, "%s ", all[i]->name);
        }
    }
    assert_string_equal(str_ptr(&found), users);
    assert_string_equal(heard.text, warnings);
    known_free(&known);
    conf_free(&conf);
    services_done(&services);
    test_remove_dir(dir);
}

static void test_user_names(void **state)
{
    (void)state;
    check("smtpd_banner = $color\ncolor = ${a:$b}\na = 1\nb = 2\n", "", "a b color ",
          "");
    check("smtpd_restriction_classes = $list\nlist = x, y\nx = reject\ny = permit\n",
          "", "list x y ", "");
    check("fallback_relay = x\n", "", "fallback_relay ", "");
    check("luser_relay = $user\nuser = 1\n", "", "",
          "warning: /main.cf: unused parameter: user=1\n");
    check("smtpd_banner = $nope\n", "", "",
          "warning: /main.cf: undefined parameter: nope\n");
    check("virtual_alias_maps = proxy:ldap:l\nl_server_host = x\nl_oops = y\n", "",
          "l_server_host ", "warning: /main.cf: unused parameter: l_oops=y\n");
    check("virtual_alias_maps = mysql:m pgsql:p sqlite:s\nm_timeout = 1\n"
          "p_timeout = 1\ns_timeout = 1\n",
          "", "m_timeout p_timeout s_timeout ", "");
    check("own = ${x\n", "", "",
          "warning: truncated macro reference: \"${x\"\n"
          "warning: /main.cf: unused parameter: own=${x\n");
}

static void test_services(void **state)
{
    static const char master_cf[] = "slow unix - - n - - smtp -o myorigin=$mine\n"
                                    "p unix - n n - - pipe user=x argv=y\n"
                                    "s unix - n n - - spawn user=x argv=y\n"
                                    "i inet n - n - - smtpd -o k=$j -o j=1\n";
    (void)state;
    check("slow_destination_rate_delay = 1s\nslow_time_limit = 1\np_time_limit = 1\n"
          "s_time_limit = 1\ns_recipient_limit = 1\nmine = m\n",
          master_cf, "mine ",
          "warning: /main.cf: unused parameter: s_recipient_limit=1\n"
          "warning: /main.cf: unused parameter: slow_time_limit=1\n"
          "warning: master.cf: unused parameter: k=$j\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_names),
        cmocka_unit_test(test_services),
    };
    log_init("known_test");
    log_set_stderr(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
