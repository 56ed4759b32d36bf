/* SPDX-License-Identifier: MIT */
#include "tls/chain.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sys/file.h"
#include "tls/library.h"

enum { FILE_MOST = 1024 * 1024 };

static void free_chain(struct tls_chain *chain)
{
    EVP_PKEY_free(chain->key);
    free(chain->place);
    X509_free(chain->leaf);
    sk_X509_pop_free(chain->issuers, X509_free);
}

void tls_chains_free(struct tls_chains *chains)
{
    for (size_t i = 0; i < chains->count; i++) {
        free_chain(&chains->items[i]);
    }
    free(chains->items);
    *chains = (struct tls_chains){0};
}

static struct tls_chain *add_chain(struct tls_chains *chains)
{
    chains->items =
        xreallocarray(chains->items, chains->count + 1, sizeof(*chains->items));
    chains->items[chains->count] = (struct tls_chain){0};
    return &chains->items[chains->count++];
}

/* --- PEM ----------------------------------------------------------------------- */

/* Nobody is there to type a pass phrase. */
static int no_pass_phrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

/* One object after another. */
struct pem {
    BIO *bio;
    const char *source; /* for messages */
    int number;         /* of the present object, from 1 */
    char *name;         /* of the present object: "CERTIFICATE" */
    char *header;
    unsigned char *data;
    long len;
};

static void forget_object(struct pem *pem)
{
    OPENSSL_free(pem->name);
    OPENSSL_free(pem->header);
    OPENSSL_secure_clear_free(pem->data, (size_t)pem->len);
    pem->name = pem->header = NULL;
    pem->data = NULL;
}

/* False at the end, and, with ERR filled, when the text is damaged. */
static bool next_object(struct pem *pem, struct err *err)
{
    forget_object(pem);
    tls_forget_errors();
    err->outcome = OK;
    if (PEM_read_bio_ex(pem->bio, &pem->name, &pem->header, &pem->data, &pem->len,
                        PEM_FLAG_SECURE) == 1) {
        pem->number++;
        return true;
    }
    bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!end) {
        STR_AUTO struct str reason = {0};
        tls_take_reason(&reason);
        (void)err_perm(err, "5.7.5", "object %d of %s is damaged: %s", pem->number + 1,
                       pem->source, str_ptr(&reason));
    }
    tls_forget_errors();
    return false;
}

static bool is_certificate(const char *name)
{
    return strcmp(name, PEM_STRING_X509) == 0 ||
           strcmp(name, PEM_STRING_X509_OLD) == 0 ||
           strcmp(name, PEM_STRING_X509_TRUSTED) == 0;
}

static bool is_key(const char *name)
{
    size_t len = strlen(name);
    size_t suffix = strlen("PRIVATE KEY");
    return len >= suffix && strcmp(name + len - suffix, "PRIVATE KEY") == 0;
}

static X509 *parse_certificate(const struct pem *pem, struct err *err)
{
    const unsigned char *at = pem->data;
    X509 *certificate = strcmp(pem->name, PEM_STRING_X509_TRUSTED) == 0
                            ? d2i_X509_AUX(NULL, &at, pem->len)
                            : d2i_X509(NULL, &at, pem->len);
    if (certificate == NULL || at != pem->data + pem->len) {
        STR_AUTO struct str reason = {0};
        tls_take_reason(&reason);
        X509_free(certificate);
        (void)err_perm(err, "5.7.5", "certificate at index %d in %s is damaged: %s",
                       pem->number, pem->source, str_ptr(&reason));
        return NULL;
    }
    return certificate;
}

/* The forms of encrypted keys differ; OpenSSL knows them all when it reads the text. */
static EVP_PKEY *parse_key(const struct pem *pem, struct err *err)
{
    bool asked = false;
    EVP_PKEY *key = NULL;
    BIO *text = BIO_new(BIO_s_secmem());
    if (text != NULL &&
        PEM_write_bio(text, pem->name, pem->header, pem->data, pem->len) > 0) {
        key = PEM_read_bio_PrivateKey(text, NULL, no_pass_phrase, &asked);
    }
    BIO_free(text);
    if (key == NULL) {
        STR_AUTO struct str reason = {0};
        tls_take_reason(&reason);
        (void)err_perm(
            err, "5.7.5", "key at index %d in %s %s%s", pem->number, pem->source,
            asked ? "needs a pass phrase, which nobody can enter here" : "is damaged: ",
            asked ? "" : str_ptr(&reason));
    }
    tls_forget_errors();
    return key;
}

/* --- key, certificates, key, certificates ---------------------------------------- */

static enum outcome add_key(struct tls_chains *out, const struct pem *pem,
                            struct err *err)
{
    struct tls_chain *last = out->count > 0 ? &out->items[out->count - 1] : NULL;
    if (last != NULL && last->leaf == NULL) {
        return err_perm(err, "5.7.5", "No certs for key at %s", last->place);
    }
    EVP_PKEY *key = parse_key(pem, err);
    if (key == NULL) {
        return PERMFAIL;
    }
    last = add_chain(out);
    last->key = key;
    last->place = xasprintf("index %d in %s", pem->number, pem->source);
    return OK;
}

static enum outcome add_certificate(struct tls_chains *out, const struct pem *pem,
                                    struct err *err)
{
    struct tls_chain *last = out->count > 0 ? &out->items[out->count - 1] : NULL;
    if (last == NULL) {
        return err_perm(err, "5.7.5", "error loading chain from %s: key not first",
                        pem->source);
    }
    X509 *certificate = parse_certificate(pem, err);
    if (certificate == NULL) {
        return PERMFAIL;
    }
    if (last->leaf != NULL) {
        if (last->issuers == NULL) {
            last->issuers = sk_X509_new_null();
        }
        CHECK(last->issuers != NULL && sk_X509_push(last->issuers, certificate) > 0);
        return OK;
    }
    last->leaf = certificate;
    if (X509_check_private_key(certificate, last->key) != 1) {
        tls_forget_errors();
        return err_perm(err, "5.7.5", "key at %s does not match next certificate",
                        last->place);
    }
    return OK;
}

static enum outcome add_objects(struct pem *pem, struct tls_chains *out,
                                struct err *err)
{
    enum outcome outcome = OK;
    while (outcome == OK && next_object(pem, err)) {
        if (is_key(pem->name)) {
            outcome = add_key(out, pem, err);
        } else if (is_certificate(pem->name)) {
            outcome = add_certificate(out, pem, err);
        }
        /* Other objects ("EC PARAMETERS") stand beside keys and say nothing more. */
    }
    return outcome != OK ? outcome : err->outcome;
}

static enum outcome add_text(struct view text, const char *source,
                             struct tls_chains *out, struct err *err)
{
    struct err own;
    struct pem pem = {.bio = BIO_new_mem_buf(text.ptr, view_print_length(text)),
                      .source = source};
    CHECK(pem.bio != NULL);
    enum outcome outcome = add_objects(&pem, out, err != NULL ? err : &own);
    forget_object(&pem);
    BIO_free(pem.bio);
    return outcome;
}

static enum outcome check_complete(const struct tls_chains *chains, const char *source,
                                   struct err *err)
{
    if (chains->count == 0) {
        return err_perm(err, "5.7.5", "no keys and certificates in %s", source);
    }
    const struct tls_chain *last = &chains->items[chains->count - 1];
    if (last->leaf == NULL) {
        return err_perm(err, "5.7.5", "No certs for key at %s", last->place);
    }
    return OK;
}

enum outcome tls_chains_parse(struct view text, const char *name,
                              struct tls_chains *out, struct err *err)
{
    enum outcome outcome = add_text(text, name, out, err);
    return outcome == OK ? check_complete(out, name, err) : outcome;
}

/* --- files ---------------------------------------------------------------------- */

/* Key material does not stay in freed memory. */
static void wipe(struct str *text)
{
    if (text->ptr != NULL) {
        OPENSSL_cleanse(text->ptr, text->capacity);
    }
    str_done(text);
}

static enum outcome read_file(const char *path, struct str *out, struct err *err)
{
    str_init(out, FILE_MOST + 1);
    /* One block: growing would leave copies behind. */
    (void)str_reserve(out, FILE_MOST);
    return file_read(path, FILE_MOST, out, err);
}

enum outcome tls_chains_read(struct view list, struct tls_chains *out, struct err *err)
{
    struct view word;
    enum outcome outcome = OK;
    char *last = NULL;
    while (outcome == OK && view_next_word(&list, ", \t\r\n", &word)) {
        struct str text;
        free(last);
        last = xviewdup(word);
        outcome = read_file(last, &text, err);
        if (outcome == OK) {
            outcome = add_text(str_view(&text), last, out, err);
        }
        wipe(&text);
    }
    if (outcome == OK) {
        outcome = check_complete(out, last != NULL ? last : "an empty list", err);
    }
    free(last);
    return outcome;
}

static enum outcome read_certificates(struct pem *pem, struct tls_chain *chain,
                                      struct err *err)
{
    while (next_object(pem, err)) {
        if (!is_certificate(pem->name)) {
            continue;
        }
        X509 *certificate = parse_certificate(pem, err);
        if (certificate == NULL) {
            return PERMFAIL;
        }
        if (chain->leaf == NULL) {
            chain->leaf = certificate;
            continue;
        }
        chain->issuers = chain->issuers != NULL ? chain->issuers : sk_X509_new_null();
        CHECK(chain->issuers != NULL && sk_X509_push(chain->issuers, certificate) > 0);
    }
    if (err->outcome == OK && chain->leaf == NULL) {
        return err_perm(err, "5.7.5", "no certificate in %s", pem->source);
    }
    return err->outcome;
}

static enum outcome read_key(struct pem *pem, struct tls_chain *chain, struct err *err)
{
    while (chain->key == NULL && next_object(pem, err)) {
        if (is_key(pem->name)) {
            chain->key = parse_key(pem, err);
            if (chain->key == NULL) {
                return PERMFAIL;
            }
        }
    }
    if (chain->key != NULL) {
        return OK;
    }
    return err->outcome != OK
               ? err->outcome
               : err_perm(err, "5.7.5", "no private key in %s", pem->source);
}

typedef enum outcome read_function(struct pem *pem, struct tls_chain *chain,
                                   struct err *err);

static enum outcome read_part(const char *path, read_function *read,
                              struct tls_chain *chain, struct err *err)
{
    struct str text;
    enum outcome outcome = read_file(path, &text, err);
    if (outcome == OK) {
        struct pem pem = {.bio = BIO_new_mem_buf(str_ptr(&text), (int)text.len),
                          .source = path};
        CHECK(pem.bio != NULL);
        outcome = read(&pem, chain, err);
        forget_object(&pem);
        BIO_free(pem.bio);
    }
    wipe(&text);
    return outcome;
}

enum outcome tls_chains_read_pair(const char *cert_file, const char *key_file,
                                  bool *key_at_fault, struct tls_chains *out,
                                  struct err *err)
{
    struct tls_chain chain = {0};
    *key_at_fault = false;
    enum outcome outcome = read_part(cert_file, read_certificates, &chain, err);
    if (outcome == OK) {
        *key_at_fault = true;
        outcome = read_part(key_file, read_key, &chain, err);
    }
    if (outcome == OK && X509_check_private_key(chain.leaf, chain.key) != 1) {
        outcome =
            err_perm(err, "5.7.5",
                     "the key in %s does not belong to the first certificate in %s",
                     key_file, cert_file);
    }
    tls_forget_errors();
    if (outcome != OK) {
        free_chain(&chain);
        return outcome;
    }
    *add_chain(out) = chain;
    return OK;
}

/* --- use ------------------------------------------------------------------------ */

bool tls_chains_use(const struct tls_chains *chains, SSL_CTX *ctx)
{
    for (size_t i = 0; i < chains->count; i++) {
        const struct tls_chain *chain = &chains->items[i];
        if (SSL_CTX_use_cert_and_key(ctx, chain->leaf, chain->key, chain->issuers, 1) !=
            1) {
            return false;
        }
    }
    return true;
}

bool tls_chains_use_once(const struct tls_chains *chains, SSL *ssl)
{
    SSL_certs_clear(ssl); /* those of the context are for other names */
    for (size_t i = 0; i < chains->count; i++) {
        const struct tls_chain *chain = &chains->items[i];
        if (SSL_use_cert_and_key(ssl, chain->leaf, chain->key, chain->issuers, 1) !=
            1) {
            return false;
        }
    }
    return true;
}

int64_t tls_chains_lifetime(const struct tls_chains *chains, struct str *subject_out)
{
    enum { DAY = 24 * 60 * 60 };
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < chains->count; i++) {
        int days = 0;
        int seconds = 0;
        const ASN1_TIME *end = X509_get0_notAfter(chains->items[i].leaf);
        if (ASN1_TIME_diff(&days, &seconds, NULL, end) != 1) {
            continue;
        }
        int64_t left = (int64_t)days * DAY + seconds;
        if (left < least) {
            char name[256];
            least = left;
            X509_NAME_oneline(X509_get_subject_name(chains->items[i].leaf), name,
                              sizeof(name));
            str_set_cstr(subject_out, name);
        }
    }
    return least;
}
