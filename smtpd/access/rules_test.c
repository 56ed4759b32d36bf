/* SPDX-License-Identifier: MIT */
#include "smtpd/access/rules.h"

#include "base/check.h"
#include "testing/test.h"

static struct conf *conf_with(const char *settings)
{
    struct err err = {0};
    STR_AUTO struct str text = {0};
    str_printf(&text, "compatibility_level = 3.6\nmyhostname = mail.example.com\n%s",
               settings);
    struct conf *conf = conf_open_text("/nonexistent", str_ptr(&text), &err);
    assert_non_null(conf);
    return conf;
}

static void test_parse(void **state)
{
    struct conf *conf = conf_with(
        "smtpd_restriction_classes = strict\nstrict = permit_mynetworks reject\n"
        "smtpd_sender_restrictions = inline:{a=b}, CHECK_HELO_ACCESS inline:{{c = d "
        "e}},"
        " strict, nonsense, check_sender_access foo, { sleep 3 }, reject_rbl_client\n");
    struct access_rules *rules = access_rules_new(conf);
    const struct restriction_list *list = &rules->sender;
    (void)state;
    assert_int_equal(list->count, 7);
    assert_string_equal(list->items[0].verb->name, "check_sender_access");
    assert_non_null(list->items[0].table);
    assert_string_equal(list->items[1].verb->name, "check_helo_access");
    assert_view_equal(list->items[1].argument, "inline:{{c = d e}}");
    assert_null(list->items[2].verb);
    assert_null(list->items[2].problem);
    assert_non_null(htab_get(rules->classes, VIEW("strict")));
    assert_null(list->items[3].verb);
    assert_non_null(strstr(list->items[4].problem, "bad argument \"foo\""));
    assert_int_equal(rules->table_count, 2);
    access_rules_free(&rules);
    conf_free(&conf);
}

/* What an access table returns may not open other tables. */
static void test_no_tables(void **state)
{
    struct arena arena = {0};
    struct restriction_list list;
    (void)state;
    restriction_list_parse(NULL, &arena, VIEW("permit_mynetworks, hash:/x, reject"),
                           "check_recipient_access", &list);
    assert_int_equal(list.count, 3);
    assert_non_null(list.items[1].problem);
    assert_null(list.items[1].table);
    arena_clear(&arena);
}

/* An open relay does not start; see also access_rules_new(). */
static void test_guards(void **state)
{
    static const struct {
        const char *text;
        bool guards;
    } rows[] = {
        {"", false},
        {"permit_mynetworks", false},
        {"permit", false},
        {"warn_if_reject reject_unauth_destination", false},
        {"warn_if_reject reject, defer_unauth_destination", true},
        {"permit_mynetworks, reject_unauth_destination", true},
        {"permit_mynetworks REJECT", true},
        {"defer_if_permit", true},
        {"open, closed", true},
        {"open", false},
        {"inline:{a=reject}", false},
    };
    struct conf *conf = conf_with("smtpd_restriction_classes = open closed\n"
                                  "open = permit_mynetworks\nclosed = open, reject\n");
    struct access_rules *rules = access_rules_new(conf);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct arena arena = {0};
        struct restriction_list list;
        restriction_list_parse(rules, &arena, view_cstr(rows[i].text),
                               "check_recipient_access", &list);
        assert_int_equal(restriction_list_guards(rules, &list), rows[i].guards);
        arena_clear(&arena);
    }
    access_rules_free(&rules);
    conf_free(&conf);
}

static void test_verbs(void **state)
{
    (void)state;
    assert_ptr_equal(verb_find(VIEW("Reject")), verb_find(VIEW("reject")));
    assert_null(verb_find(VIEW("rejec")));
    assert_null(verb_find(VIEW("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_no_tables),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_verbs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
