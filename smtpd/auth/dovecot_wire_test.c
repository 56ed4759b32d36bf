/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "smtpd/auth/dovecot_wire.h"

#include "base/check.h"

static void take(struct dovecot_hello *hello, struct dovecot_mechanisms *found,
                 const char *text)
{
    struct view rest = view_cstr(text);
    struct view line;
    while (view_next_word(&rest, "\n", &line)) {
        dovecot_hello_take(hello, found, line);
    }
}

static void test_hello(void **state)
{
    static const char HELLO[] =
        "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tCRAM-MD5\tdictionary\tactive\n"
        "MECH\tSCRAM-SHA-256\tmutual-auth\nMECH\tANONYMOUS\tanonymous\n"
        "MECH\tX-SECRET\tprivate\nSPID\t9\nCUID\t1\nCOOKIE\tab\nDONE\n";
    struct dovecot_hello hello = {0};
    struct dovecot_mechanisms found = {0};
    STR_AUTO struct str list = {0};
    (void)state;
    take(&hello, &found, HELLO);
    assert_true(hello.complete);
    assert_null(hello.error);
    dovecot_mechanisms_list(&found, AUTH_NO_ANONYMOUS, &list);
    assert_string_equal(str_ptr(&list), "PLAIN CRAM-MD5 SCRAM-SHA-256");
    str_clear(&list);
    dovecot_mechanisms_list(&found, AUTH_NO_PLAINTEXT | AUTH_NO_DICTIONARY, &list);
    assert_string_equal(str_ptr(&list), "SCRAM-SHA-256 ANONYMOUS");
    str_clear(&list);
    dovecot_mechanisms_list(&found, AUTH_MUTUAL, &list);
    assert_string_equal(str_ptr(&list), "SCRAM-SHA-256");
}

static void test_bad_hello(void **state)
{
    static const char *const ROWS[] = {"VERSION\t2\t0\n", "VERSION\t1\n", "DONE\n",
                                       "VERSION\t1\t1\nMECH\n",
                                       "VERSION\t1\t1\nMECH\tPLAIN LOGIN\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct dovecot_hello hello = {0};
        struct dovecot_mechanisms found = {0};
        take(&hello, &found, ROWS[i]);
        assert_non_null(hello.error);
    }
}

static void test_replies(void **state)
{
    static const struct {
        const char *line;
        bool good;
        enum auth_result result;
        const char *text, *user;
    } rows[] = {
        {"OK\t7\tuser=joe\tx=y", true, AUTH_DONE, "(reason unavailable)", "joe"},
        {"OK\t7\tuser=a\001tb\001\061", true, AUTH_DONE, "(reason unavailable)",
         "a\tb\001"},
        {"OK\t7", false, AUTH_DONE, "", ""},
        {"OK\t8\tuser=joe", false, AUTH_DONE, "", ""},
        {"OK", false, AUTH_DONE, "", ""},
        {"", false, AUTH_DONE, "", ""},
        {"CONT\t7\tYQ==", true, AUTH_MORE, "YQ==", ""},
        {"CONT\t7\t", true, AUTH_MORE, "", ""},
        {"CONT\t7", false, AUTH_MORE, "", ""},
        {"CONT\t7\ta b", false, AUTH_MORE, "", ""},
        {"FAIL\t7\tuser=joe", true, AUTH_REFUSED, "(reason unavailable)", "joe"},
        {"FAIL\t7\treason=no such\001ruser", true, AUTH_REFUSED, "no such\ruser", ""},
        {"FAIL\t7\ttemp\tuser=joe", true, AUTH_TROUBLE, "(reason unavailable)", "joe"},
        {"FAIL\t7\tcode=temp_fail", true, AUTH_TROUBLE, "(reason unavailable)", ""},
        {"FAIL\tseven", false, AUTH_REFUSED, "", ""},
        {"MAYBE\t7", false, AUTH_REFUSED, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct arena arena = {0};
        struct auth_step step;
        bool good = dovecot_reply_parse(view_cstr(rows[i].line), 7, &arena, &step);
        assert_int_equal(good, rows[i].good);
        if (good) {
            assert_int_equal(step.result, rows[i].result);
            assert_view_equal(step.text, rows[i].text);
            assert_view_equal(step.user, rows[i].user);
        }
        arena_clear(&arena);
    }
}

static void test_words(void **state)
{
    STR_AUTO struct str out = {0};
    (void)state;
    assert_true(dovecot_is_base64(VIEW("")) && dovecot_is_base64(VIEW("=")));
    assert_true(dovecot_is_base64(VIEW("YWI+/9==")));
    assert_false(dovecot_is_base64(VIEW("YWI")) || dovecot_is_base64(VIEW("=WIa")));
    assert_false(dovecot_is_base64(VIEW("YW\tI")) || dovecot_is_base64(VIEW("Y===")));
    assert_true(dovecot_is_mechanism(VIEW("SCRAM-SHA-1_X")));
    assert_false(dovecot_is_mechanism(VIEW("")) || dovecot_is_mechanism(VIEW("A\tB")) ||
                 dovecot_is_mechanism(VIEW("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH")));
    dovecot_add_escaped(&out, view_of("a\tb\n\r\0\1", 7));
    assert_view_equal(str_view(&out), "a\001tb\001n\001r\0010\0011");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello), cmocka_unit_test(test_bad_hello),
        cmocka_unit_test(test_replies), cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
