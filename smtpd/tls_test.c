/* SPDX-License-Identifier: MIT */
/* What sessions say about TLS; handshakes are tested in lib/tls and in tests/system. */
#include "testing/test.h"

#include <stdlib.h>

#include "smtpd/tls.h"

struct fixture {
    struct conf *conf;
    struct server server;
    struct session session;
    struct tls_facts facts;
    struct str out;
};

static void set_settings(struct fixture *f, const char *settings)
{
    struct err err;
    f->conf = conf_open_text("/nonexistent", settings, &err);
    assert_non_null(f->conf);
    f->server.conf = f->session.conf = f->conf;
    f->session.server = &f->server;
    f->facts = (struct tls_facts){.protocol = "TLSv1.3",
                                  .cipher = "CIPHER",
                                  .used_bits = 256,
                                  .algorithm_bits = 256,
                                  .sni = "",
                                  .key_exchange = "X25519",
                                  .server_signature = "ECDSA (prime256v1)",
                                  .server_digest = "SHA256",
                                  .client_signature = "",
                                  .client_digest = "",
                                  .peer = {.subject_cn = "", .issuer_cn = ""}};
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    conf_free(&f->conf);
    str_done(&f->out);
    free(f);
    return 0;
}

static void assert_received(struct fixture *f, const char *expected)
{
    str_clear(&f->out);
    tls_add_received(&f->session, &f->out);
    assert_string_equal(str_ptr(&f->out), expected);
}

static void test_received(void **state)
{
    struct fixture *f = *state;
    set_settings(f, "smtpd_tls_received_header = yes\n");
    assert_received(f, "");
    f->session.tls = &f->facts;
    assert_received(f, "\t(using TLSv1.3 with cipher CIPHER (256/256 bits)\n"
                       "\t key-exchange X25519 server-signature ECDSA (prime256v1) "
                       "server-digest SHA256)\n"
                       "\t(No client certificate requested)\n");
    f->facts.asked = true;
    f->facts.key_exchange = f->facts.server_signature = f->facts.server_digest = "";
    assert_received(f, "\t(using TLSv1.3 with cipher CIPHER (256/256 bits))\n"
                       "\t(Client did not present a certificate)\n");
    f->facts.peer = (struct tls_peer){
        .present = true, .subject_cn = "client.example.com", .issuer_cn = "CA"};
    f->facts.client_signature = "RSA-PSS (2048 bits)";
    assert_received(f, "\t(using TLSv1.3 with cipher CIPHER (256/256 bits)\n"
                       "\t client-signature RSA-PSS (2048 bits))\n"
                       "\t(Client CN \"client.example.com\", Issuer \"CA\" "
                       "(not verified))\n");
}

/* What a certificate calls itself must not end the comment, let alone the header. */
static void test_names_in_received(void **state)
{
    struct fixture *f = *state;
    set_settings(f, "smtpd_tls_received_header = yes\n");
    f->session.tls = &f->facts;
    f->facts.peer = (struct tls_peer){.present = true,
                                      .trusted = true,
                                      .subject_cn = "a\") by evil\\",
                                      .issuer_cn = "CA (2)"};
    tls_add_received(&f->session, &f->out);
    assert_non_null(strstr(str_ptr(&f->out), "\t(Client CN \"a?? by evil?\", Issuer "
                                             "\"CA ?2?\" (verified OK))\n"));
}

static void test_received_is_optional(void **state)
{
    struct fixture *f = *state;
    set_settings(f, "");
    f->session.tls = &f->facts;
    assert_received(f, "");
}

static void test_without_tls(void **state)
{
    struct fixture *f = *state;
    set_settings(f, "");
    assert_false(tls_offered(&f->session));
    assert_false(tls_required(&f->session));
    assert_true(tls_begin_wrapped(&f->session));
    assert_false(tls_outdated(&f->server));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_received),
        TEST(test_names_in_received),
        TEST(test_received_is_optional),
        TEST(test_without_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
