/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>

#include "tls/chain.h"
#include "tls/tls_testing.h"

struct world {
    char *dir;
    struct identity authority, ec, rsa;
    struct str text; /* key and certificate of EC, and its issuer's */
};

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    w->dir = test_make_dir();
    w->authority = identity_new(IDENTITY_EC, "Authority", NULL, 100);
    w->ec = identity_new(IDENTITY_EC, "ec.example.com", &w->authority, 30);
    w->rsa = identity_new(IDENTITY_RSA, "rsa.example.com", &w->authority, -1);
    identity_write(&w->ec, w->dir, "ec");
    identity_write(&w->rsa, w->dir, "rsa");
    identity_add_key(&w->ec, &w->text);
    identity_add_certificate(&w->ec, &w->text);
    identity_add_certificate(&w->authority, &w->text);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    identity_done(&w->authority);
    identity_done(&w->ec);
    identity_done(&w->rsa);
    str_done(&w->text);
    test_remove_dir(w->dir);
    free(w);
    return 0;
}

static void test_text(void **state)
{
    struct world *w = *state;
    struct tls_chains chains = {0};
    struct err err;
    STR_AUTO struct str subject = {0};
    STR_AUTO struct str both = {0};
    str_add(&both, str_view(&w->text));
    str_add_cstr(&both, "Some words that are no PEM object.\n");
    identity_add_key(&w->rsa, &both);
    identity_add_certificate(&w->rsa, &both);
    assert_int_equal(tls_chains_parse(str_view(&both), "text", &chains, &err), OK);
    assert_int_equal(chains.count, 2);
    assert_int_equal(sk_X509_num(chains.items[0].issuers), 1);
    assert_null(chains.items[1].issuers);
    assert_true(tls_chains_lifetime(&chains, &subject) < 0);
    assert_string_equal(str_ptr(&subject), "/O=Test/CN=rsa.example.com");
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_true(tls_chains_use(&chains, ctx));
    SSL *ssl = SSL_new(ctx);
    assert_true(tls_chains_use_once(&chains, ssl));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    tls_chains_free(&chains);
}

static void assert_refused(struct view text, const char *words)
{
    struct tls_chains chains = {0};
    struct err err;
    assert_int_equal(tls_chains_parse(text, "TEXT", &chains, &err), PERMFAIL);
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" not in \"%s\"", words, err.text);
    }
    tls_chains_free(&chains);
}

static void test_order(void **state)
{
    struct world *w = *state;
    STR_AUTO struct str key = {0};
    STR_AUTO struct str certificate = {0};
    STR_AUTO struct str text = {0};
    identity_add_key(&w->ec, &key);
    identity_add_certificate(&w->ec, &certificate);
    assert_refused(VIEW(""), "no keys and certificates in TEXT");
    assert_refused(VIEW("no PEM at all"), "no keys and certificates in TEXT");
    assert_refused(str_view(&certificate),
                   "error loading chain from TEXT: key not first");
    assert_refused(str_view(&key), "No certs for key at index 1 in TEXT");
    str_add(&text, str_view(&key));
    str_add(&text, str_view(&key));
    assert_refused(str_view(&text), "No certs for key at index 1 in TEXT");
    str_clear(&text);
    identity_add_key(&w->rsa, &text);
    str_add(&text, str_view(&certificate));
    assert_refused(str_view(&text),
                   "key at index 1 in TEXT does not match next certificate");
}

static void test_encrypted_key(void **state)
{
    struct world *w = *state;
    STR_AUTO struct str text = {0};
    BIO *memory = BIO_new(BIO_s_mem());
    char phrase[] = "secret";
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(memory, w->ec.key, EVP_aes_128_cbc(),
                                                   phrase, 6, NULL, NULL),
                     1);
    add_memory(memory, &text);
    identity_add_certificate(&w->ec, &text);
    assert_refused(str_view(&text), "needs a pass phrase");
}

/* Wherever a file was cut, it is refused, or it is complete for what it has. */
static void test_cut(void **state)
{
    struct world *w = *state;
    for (size_t len = 0; len < w->text.len; len += 7) {
        struct tls_chains chains = {0};
        struct err err;
        /* A copy, so that reading past its end is noticed. */
        char *copy = xviewdup(view_of(str_ptr(&w->text), len));
        if (tls_chains_parse(view_of(copy, len), "cut", &chains, &err) == OK) {
            assert_int_equal(chains.count, 1);
            assert_non_null(chains.items[0].leaf);
        } else {
            assert_string_not_equal(err.text, "");
        }
        tls_chains_free(&chains);
        free(copy);
    }
}

static void test_damaged(void **state)
{
    struct world *w = *state;
    STR_AUTO struct str text = {0};
    str_add(&text, str_view(&w->text));
    char *certificate = strstr(text.ptr, "-----BEGIN CERTIFICATE");
    char *first = strchr(certificate, '\n') + 1;
    assert_memory_equal(first, "MII", 3); /* a sequence, and its length */
    first[1] = 'J';
    assert_refused(str_view(&text), "certificate at index 2 in TEXT is damaged");
    first[1] = '!';
    assert_refused(str_view(&text), "object 2 of TEXT is damaged");
}

static void test_files(void **state)
{
    struct world *w = *state;
    struct tls_chains chains = {0};
    struct err err;
    char *list = xasprintf("%s/ec.key, %s/ec.pem\t%s/rsa.key %s/rsa.pem", w->dir,
                           w->dir, w->dir, w->dir);
    assert_int_equal(tls_chains_read(view_cstr(list), &chains, &err), OK);
    assert_int_equal(chains.count, 2);
    tls_chains_free(&chains);
    free(list);
    list = xasprintf("%s/ec.key %s/none.pem", w->dir, w->dir);
    assert_int_equal(tls_chains_read(view_cstr(list), &chains, &err), TEMPFAIL);
    assert_int_equal(err.code, ENOENT);
    assert_non_null(strstr(err.text, "none.pem"));
    tls_chains_free(&chains);
    free(list);
}

/* CERT and KEY are names in the directory; WORDS NULL: they fit. */
static void assert_pair(const struct world *w, const char *cert, const char *key,
                        bool key_at_fault, const char *words)
{
    struct tls_chains chains = {0};
    struct err err = {0};
    bool blamed;
    char *cert_file = xasprintf("%s/%s", w->dir, cert);
    char *key_file = xasprintf("%s/%s", w->dir, key);
    enum outcome outcome =
        tls_chains_read_pair(cert_file, key_file, &blamed, &chains, &err);
    assert_int_equal(outcome == OK, words == NULL);
    if (words != NULL) {
        assert_int_equal(blamed, key_at_fault);
        assert_non_null(strstr(err.text, words));
    }
    free(cert_file);
    free(key_file);
    tls_chains_free(&chains);
}

static void test_pairs(void **state)
{
    struct world *w = *state;
    test_write_file(w->dir, "whole", str_ptr(&w->text));
    assert_pair(w, "ec.pem", "ec.key", false, NULL);
    assert_pair(w, "whole", "whole", false, NULL); /* one file for both */
    assert_pair(w, "none.pem", "ec.key", false, "No such file");
    assert_pair(w, "ec.pem", "none.key", true, "No such file");
    assert_pair(w, "ec.pem", "rsa.key", true,
                "does not belong to the first certificate");
    assert_pair(w, "ec.key", "ec.key", false, "no certificate in");
    assert_pair(w, "ec.pem", "ec.pem", true, "no private key in");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_encrypted_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pairs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
