/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "smtpd/access/policy_service.h"

#include "base/check.h"

static void test_settings(void **state)
{
    static const struct {
        const char *text, *name, *action, *context, *error;
    } rows[] = {
        {"unix:private/p", "unix:private/p", "451 4.3.5 Server configuration problem",
         "mine", NULL},
        {"{ inet:127.0.0.1:10023 }", "inet:127.0.0.1:10023",
         "451 4.3.5 Server configuration problem", "mine", NULL},
        {"{inet:h:1, default_action=DUNNO, timeout=2s policy_context=yours}",
         "inet:h:1", "DUNNO", "yours", NULL},
        {"{ inet:h:1, { default_action = 450 4.7.1 not = now }, try_limit=3, "
         "retry_delay=1s, max_idle=1m, max_ttl=1h, request_limit=5 }",
         "inet:h:1", "450 4.7.1 not = now", "mine", NULL},
        {"", NULL, NULL, NULL, "must be followed by transport:server"},
        {"{}", NULL, NULL, NULL, "must be followed by transport:server"},
        {"nonsense", NULL, NULL, NULL, "need service transport:endpoint"},
        {"{ unix:x, timeout }", NULL, NULL, NULL, "malformed option \"timeout\""},
        {"{ unix:x, =3 }", NULL, NULL, NULL, "malformed option"},
        {"{ unix:x, timeout=0 }", NULL, NULL, NULL, "bad time value"},
        {"{ unix:x, try_limit=many }", NULL, NULL, NULL, "bad numerical value: many"},
        {"{ unix:x, color=blue }", NULL, NULL, NULL,
         "unknown option: \"color = blue\""},
    };
    struct conf *conf =
        conf_open_text(".", "smtpd_policy_service_policy_context = mine\n", NULL);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        struct policy_service *service =
            policy_service_new(conf, view_cstr(rows[i].text), &err);
        assert_int_equal(service != NULL, rows[i].error == NULL);
        if (service == NULL) {
            assert_non_null(strstr(err.text, rows[i].error));
            continue;
        }
        assert_string_equal(policy_service_name(service), rows[i].name);
        assert_string_equal(policy_service_default_action(service), rows[i].action);
        assert_string_equal(policy_service_context(service), rows[i].context);
        policy_service_free(&service);
    }
    conf_free(&conf);
}

static void test_lines(void **state)
{
    static const struct {
        const char *line;
        enum policy_line kind;
        const char *value;
    } rows[] = {
        {"action=REJECT no", POLICY_LINE_ACTION, "REJECT no"},
        {"action = DUNNO ", POLICY_LINE_ACTION, "DUNNO"},
        {"action=", POLICY_LINE_ACTION, ""},
        {"action=a=b", POLICY_LINE_ACTION, "a=b"},
        {"other=x", POLICY_LINE_OTHER, "x"},
        {"", POLICY_LINE_END, NULL},
        {"nothing", POLICY_LINE_BAD, NULL},
        {"=x", POLICY_LINE_BAD, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct view value;
        assert_int_equal(policy_line_parse(view_cstr(rows[i].line), &value),
                         rows[i].kind);
        if (rows[i].value != NULL) {
            assert_view_equal(value, rows[i].value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings),
                                       cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
