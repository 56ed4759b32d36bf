/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <openssl/ssl.h>

#include "base/check.h"
#include "base/str.h"
#include "conf/conf.h"
#include "tls/ciphers.h"
#include "tls/options.h"
#include "tls/protocols.h"

static void test_good_lists(void **state)
{
    (void)state;
    const uint64_t up_to_11 = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
    static const uint64_t NONE = 0;
    const struct {
        const char *text;
        int lowest, highest;
        uint64_t excluded;
    } rows[] = {
        {"", 0, 0, NONE},
        {">=TLSv1", TLS1_VERSION, 0, NONE},
        {">=tlsv1.2", TLS1_2_VERSION, 0, NONE},
        {">=TLSv1.2, <=TLSv1.3", TLS1_2_VERSION, TLS1_3_VERSION, NONE},
        {">=TLSv1,!TLSv1.1", TLS1_VERSION, 0, SSL_OP_NO_TLSv1_1},
        {"!SSLv2, !SSLv3", 0, 0, SSL_OP_NO_SSLv3},
        {"!SSLv2:!SSLv3 !TLSv1,!TLSv1.1", 0, 0, up_to_11},
        {"TLSv1.2, TLSv1.3", 0, 0, up_to_11},
        {"TLSv1.3", 0, 0, up_to_11 | SSL_OP_NO_TLSv1_2},
        {">=", 0, 0, NONE},
        {">=0", 0, 0, NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tls_protocols protocols;
        struct err err;
        if (tls_protocols_parse(view_cstr(rows[i].text), &protocols, &err) != OK) {
            fail_msg("%s: %s", rows[i].text, err.text);
        }
        assert_int_equal(protocols.lowest, rows[i].lowest);
        assert_int_equal(protocols.highest, rows[i].highest);
        assert_int_equal(protocols.excluded, rows[i].excluded);
    }
}

static void test_bad_lists(void **state)
{
    (void)state;
    static const char *const rows[] = {"TLSv1.9",
                                       ">=TLSv7",
                                       "!",
                                       "tls",
                                       "<=1.2",
                                       "!TLSv1.2 foo",
                                       "!SSLv3 !TLSv1 !TLSv1.1 !TLSv1.2 !TLSv1.3",
                                       ">=TLSv1.3, <=TLSv1.2",
                                       "TLSv1.2, !TLSv1.2"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tls_protocols protocols;
        struct err err;
        assert_int_equal(tls_protocols_parse(view_cstr(rows[i]), &protocols, &err),
                         PERMFAIL);
        assert_non_null(strstr(err.text, "TLSv1.2 and TLSv1.3"));
    }
}

static void test_options(void **state)
{
    (void)state;
    uint64_t bits;
    struct view bad;
    assert_true(
        tls_options_parse(VIEW("NO_TICKET, no_renegotiation 0x10"), &bits, &bad));
    assert_int_equal(bits, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | 0x10);
    assert_false(tls_options_parse(VIEW("NO_TICKET FOO NO_COMPRESSION"), &bits, &bad));
    assert_view_equal(bad, "FOO");
    assert_int_equal(bits, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    assert_false(tls_options_parse(VIEW("0x"), &bits, &bad));
    assert_false(tls_options_parse(VIEW("0xfffffffffffffffff"), &bits, &bad));
    assert_true(tls_workarounds_parse(VIEW("MICROSOFT_SESS_ID_BUG"), &bits, &bad));
    assert_int_equal(bits, 0);
    assert_non_null(strstr(tls_options_names(), "NO_TICKET"));
}

static void assert_ciphers(const struct conf *conf, const char *grade,
                           const char *excluded, const char *expected)
{
    STR_AUTO struct str list = {0};
    struct err err;
    enum outcome outcome = tls_ciphers_list(conf, grade, &excluded, 1, &list, &err);
    if (expected == NULL) {
        assert_int_equal(outcome, PERMFAIL);
        return;
    }
    assert_int_equal(outcome, OK);
    assert_string_equal(str_ptr(&list), expected);
}

static void test_ciphers(void **state)
{
    (void)state;
    struct err err;
    struct conf *conf =
        conf_open_text("/nonexistent", "tls_high_cipherlist = HIGH\n", &err);
    assert_ciphers(conf, "high", "", "HIGH");
    assert_ciphers(conf, "HIGH", "aNULL, MD5:eNULL", "HIGH:!aNULL:!MD5:!eNULL");
    assert_ciphers(conf, "medium", "", "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH");
    assert_ciphers(conf, "best", "", NULL);
    assert_ciphers(conf, "high", "MD5, !SHA1", NULL);
    assert_ciphers(conf, "high", "@STRENGTH", NULL);
    conf_free(&conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lists),
        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_ciphers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
