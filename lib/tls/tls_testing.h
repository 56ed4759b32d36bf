/* SPDX-License-Identifier: MIT */
/* Keys and certificates for the tests of this layer, made on the spot.  Comes behind
 * testing/test.h. */
#ifndef TLS_TLS_TESTING_H
#define TLS_TLS_TESTING_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

/* Somebody with a key and a certificate. */
struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

enum identity_kind { IDENTITY_EC, IDENTITY_RSA, IDENTITY_ED25519 };

static inline EVP_PKEY *identity_key(enum identity_kind kind)
{
    switch (kind) {
    case IDENTITY_EC:
        return EVP_EC_gen("P-256");
    case IDENTITY_RSA:
        return EVP_RSA_gen(2048);
    case IDENTITY_ED25519:
        break;
    }
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

/* NAME is its common name; ISSUER NULL: its own.  Valid from a day ago for DAYS from
 * now (negative: expired). */
static inline struct identity identity_new(enum identity_kind kind, const char *name,
                                           const struct identity *issuer, int days)
{
    static long serial; /* certificates of one issuer must differ */
    struct identity self = {identity_key(kind), X509_new()};
    assert_non_null(self.key);
    X509 *c = self.certificate;
    X509_NAME *subject = X509_get_subject_name(c);
    assert_int_equal(X509_set_version(c, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial), 1);
    X509_gmtime_adj(X509_getm_notBefore(c), -24 * 60 * 60);
    X509_time_adj_ex(X509_getm_notAfter(c), days, 0, NULL);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                                (const unsigned char *)"Test", -1, -1,
                                                0),
                     1);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    const struct identity *by = issuer != NULL ? issuer : &self;
    assert_int_equal(X509_set_issuer_name(c, X509_get_subject_name(by->certificate)),
                     1);
    assert_int_equal(X509_set_pubkey(c, self.key), 1);
    X509_EXTENSION *ca =
        X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                            issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    assert_int_equal(X509_add_ext(c, ca, -1), 1);
    X509_EXTENSION_free(ca);
    const EVP_MD *digest =
        EVP_PKEY_get_base_id(by->key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    assert_true(X509_sign(c, by->key, digest) > 0);
    return self;
}

static inline void identity_done(struct identity *self)
{
    EVP_PKEY_free(self->key);
    X509_free(self->certificate);
}

static inline void add_memory(BIO *memory, struct str *out)
{
    char *text;
    long len = BIO_get_mem_data(memory, &text);
    str_add(out, view_of(text, (size_t)len));
    BIO_free(memory);
}

static inline void identity_add_key(const struct identity *self, struct str *out)
{
    BIO *memory = BIO_new(BIO_s_mem());
    assert_int_equal(
        PEM_write_bio_PrivateKey(memory, self->key, NULL, NULL, 0, NULL, NULL), 1);
    add_memory(memory, out);
}

static inline void identity_add_certificate(const struct identity *self,
                                            struct str *out)
{
    BIO *memory = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(memory, self->certificate), 1);
    add_memory(memory, out);
}

/* DIR/NAME.key and DIR/NAME.pem. */
static inline void identity_write(const struct identity *self, const char *dir,
                                  const char *name)
{
    STR_AUTO struct str key = {0};
    STR_AUTO struct str certificate = {0};
    char *key_name = xasprintf("%s.key", name);
    char *certificate_name = xasprintf("%s.pem", name);
    identity_add_key(self, &key);
    identity_add_certificate(self, &certificate);
    test_write_file(dir, key_name, str_ptr(&key));
    test_write_file(dir, certificate_name, str_ptr(&certificate));
    free(key_name);
    free(certificate_name);
}

#endif
