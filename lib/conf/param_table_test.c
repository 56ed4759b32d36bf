/* SPDX-License-Identifier: MIT */
#include "conf/param_table.h"

#include <string.h>

#include "conf/conf.h"
#include "conf/expand.h"
#include "conf/value.h"
#include "testing/test.h"

static void test_find(void **state)
{
    (void)state;
    enum param param;
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        assert_true(param_find(view_cstr(param_row((enum param)i)->name), &param));
        assert_int_equal(param, i);
    }
    assert_false(param_find(VIEW(""), &param));
    assert_false(param_find(VIEW("smtpd"), &param));
    assert_false(param_find(VIEW("smtpd_bannerx"), &param));
    assert_false(param_find(VIEW("zzz"), &param));
}

static void test_sorted(void **state)
{
    (void)state;
    const enum param *order = param_sorted();
    for (size_t i = 1; i < PARAM_COUNT; i++) {
        const char *before = param_row(order[i - 1])->name;
        assert_true(strcmp(before, param_row(order[i])->name) < 0);
    }
}

static void no_value(void *context, struct view name)
{
    (void)context;
    (void)name;
}

/* Every row: a text, a default that parses, bounds that are values. */
static void test_rows(void **state)
{
    (void)state;
    STR_AUTO struct str mistake = {0};
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        const struct param_row *row = param_row((enum param)i);
        int64_t number;
        assert_true(strlen(row->help) > 10);
        assert_int_equal(row->help[strlen(row->help) - 1], '.');
        if (row->type != PARAM_RAW) {
            assert_true(expand_scan(view_cstr(row->value), no_value, NULL, NULL));
        }
        const char *note = param_note((enum param)i);
        assert_true(note == NULL || note[strlen(note) - 1] == '.');
        bool number_row = row->type != PARAM_STR && row->type != PARAM_RAW;
        if (number_row && strchr(row->value, '$') == NULL) {
            assert_true(value_convert(row, row->name, view_cstr(row->value), 's',
                                      &number, &mistake));
        }
    }
}

/* With nothing set, every value of every type can be had. */
static void test_defaults_convert(void **state)
{
    (void)state;
    struct err err;
    struct conf *conf = conf_open_text("/nowhere", NULL, &err);
    assert_non_null(conf);
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        enum param param = (enum param)i;
        switch (param_row(param)->type) {
        case PARAM_STR:
            assert_non_null(conf_str(conf, param));
            break;
        case PARAM_RAW:
            assert_non_null(conf_raw(conf, param));
            break;
        case PARAM_INT:
            (void)conf_int(conf, param);
            break;
        case PARAM_LONG:
            (void)conf_long(conf, param);
            break;
        case PARAM_BOOL:
            (void)conf_bool(conf, param);
            break;
        case PARAM_TIME:
            assert_true(conf_time(conf, param) >= 0);
            break;
        }
    }
    conf_free(&conf);
}

static void test_families(void **state)
{
    (void)state;
    const struct param_family *family =
        param_family_of(VIEW("slow_destination_recipient_limit"));
    assert_int_equal(family->param, P_default_destination_recipient_limit);
    family = param_family_of(VIEW("slow_initial_destination_concurrency"));
    assert_int_equal(family->param, P_initial_destination_concurrency);
    assert_null(param_family_of(VIEW("slow")));
    assert_null(param_family_of(VIEW("_time_limit")));
}

/* "": nobody acts on it yet, and who sets it must be told. */
static void test_unread(void **state)
{
    (void)state;
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        const struct param_row *row = param_row((enum param)i);
        assert_true(param_is_unread(view_cstr(row->name)) == (row->readers[0] == '\0'));
    }
    assert_false(param_is_unread(VIEW("my_own")));
    assert_false(param_is_unread(VIEW("slow_destination_recipient_limit")));
    assert_ptr_equal(param_row_of(VIEW("slow_destination_recipient_limit")),
                     param_row(P_default_destination_recipient_limit));
    assert_null(param_row_of(VIEW("my_own")));
}

static void test_replacement(void **state)
{
    (void)state;
    assert_string_equal(param_replacement(VIEW("smtpd_use_tls")),
                        "smtpd_tls_security_level");
    assert_string_equal(param_replacement(VIEW("virtual_maps")), "virtual_alias_maps");
    assert_string_equal(param_replacement(VIEW("smtpd_tls_eecdh_grade")), "");
    assert_null(param_replacement(VIEW("smtpd_tls_security_level")));
}

static void test_notes(void **state)
{
    (void)state;
    assert_non_null(strstr(param_note(P_luser_relay), "local_recipient_maps"));
    assert_null(param_note(P_smtpd_tls_CAfile));
}

static void test_suggest(void **state)
{
    (void)state;
    assert_string_equal(param_suggest(VIEW("smtpd_recipent_restrictions")),
                        "smtpd_recipient_restrictions");
    assert_string_equal(param_suggest(VIEW("mydestinations")), "mydestination");
    assert_string_equal(param_suggest(VIEW("myhostnane")), "myhostname");
    assert_string_equal(param_suggest(VIEW("relayhosts")), "relayhost");
    assert_null(param_suggest(VIEW("color")));
    assert_null(param_suggest(VIEW("my_own_restrictions_for_lists")));
    assert_null(param_suggest(VIEW("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),     cmocka_unit_test(test_sorted),
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_defaults_convert),
        cmocka_unit_test(test_families), cmocka_unit_test(test_suggest),
        cmocka_unit_test(test_unread),   cmocka_unit_test(test_replacement),
        cmocka_unit_test(test_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
