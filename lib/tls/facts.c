/* SPDX-License-Identifier: MIT */
#include "tls/facts_collect.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "base/utf8.h"

/* --- names ---------------------------------------------------------------------- */

/* A name that shows as it is, or "": what a certificate calls itself is text of its
 * owner, and goes into logs and headers. */
static const char *decent(struct view text, struct arena *arena)
{
    enum { NAME_MOST = 256 };
    if (text.len == 0 || text.len > NAME_MOST || !utf8_valid(text)) {
        return "";
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == 127) {
            return "";
        }
    }
    return arena_cstr(arena, text);
}

/* The first part of NAME that is a NID; NULL: it has none. */
static const char *part_of_name(const X509_NAME *name, int nid, struct arena *arena)
{
    unsigned char *utf8 = NULL;
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    if (at < 0) {
        return NULL;
    }
    const ASN1_STRING *data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    int len = ASN1_STRING_to_UTF8(&utf8, data);
    const char *text =
        len > 0 ? decent(view_of((const char *)utf8, (size_t)len), arena) : "";
    OPENSSL_free(utf8);
    return text;
}

static const char *issuer_name(const X509_NAME *name, struct arena *arena)
{
    const char *text = part_of_name(name, NID_commonName, arena);
    if (text == NULL) {
        text = part_of_name(name, NID_organizationName, arena);
    }
    return text != NULL ? text : "";
}

const char *tls_name_text(const X509_NAME *name, struct arena *arena)
{
    char *line = X509_NAME_oneline(name, NULL, 0);
    const char *text = line != NULL ? decent(view_cstr(line), arena) : "";
    OPENSSL_free(line);
    return text;
}

/* --- fingerprints --------------------------------------------------------------- */

static const char *hexadecimal(const unsigned char *bytes, unsigned len,
                               struct arena *arena)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    if (len == 0) {
        return "";
    }
    char *text = arena_alloc(arena, (size_t)len * 3);
    for (size_t i = 0; i < len; i++) {
        text[i * 3] = DIGITS[bytes[i] >> 4];
        text[i * 3 + 1] = DIGITS[bytes[i] & 15];
        text[i * 3 + 2] = i + 1 < len ? ':' : '\0';
    }
    return text;
}

static const char *fingerprint_of_certificate(const X509 *certificate,
                                              const EVP_MD *digest, struct arena *arena)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (X509_digest(certificate, digest, bytes, &len) != 1) {
        len = 0;
    }
    return hexadecimal(bytes, len, arena);
}

static const char *fingerprint_of_key(const X509 *certificate, const EVP_MD *digest,
                                      bool legacy, struct arena *arena)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (legacy) {
        if (X509_pubkey_digest(certificate, digest, bytes, &len) != 1) {
            len = 0;
        }
        return hexadecimal(bytes, len, arena);
    }
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0 || EVP_Digest(der, (size_t)size, bytes, &len, digest, NULL) != 1) {
        len = 0;
    }
    OPENSSL_free(der);
    return hexadecimal(bytes, len, arena);
}

static void collect_peer(SSL *ssl, const EVP_MD *digest, bool legacy,
                         struct arena *arena, struct tls_peer *peer)
{
    *peer = (struct tls_peer){.subject_cn = "",
                              .issuer_cn = "",
                              .subject = "",
                              .issuer = "",
                              .fingerprint = "",
                              .pubkey_fingerprint = ""};
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == NULL) {
        return;
    }
    const X509_NAME *subject = X509_get_subject_name(certificate);
    const X509_NAME *issuer = X509_get_issuer_name(certificate);
    const char *cn = part_of_name(subject, NID_commonName, arena);
    peer->present = true;
    peer->trusted = SSL_get_verify_result(ssl) == X509_V_OK;
    peer->subject_cn = cn != NULL ? cn : "";
    peer->issuer_cn = issuer_name(issuer, arena);
    peer->subject = tls_name_text(subject, arena);
    peer->issuer = tls_name_text(issuer, arena);
    if (digest != NULL) {
        peer->fingerprint = fingerprint_of_certificate(certificate, digest, arena);
        peer->pubkey_fingerprint =
            fingerprint_of_key(certificate, digest, legacy, arena);
    }
}

/* --- algorithms ------------------------------------------------------------------ */

static const char *group_name(const EVP_PKEY *key, struct arena *arena)
{
    char name[80];
    size_t len = 0;
    if (EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1) {
        return "";
    }
    return arena_cstr(arena, view_of(name, len));
}

static const char *key_exchange(SSL *ssl, struct arena *arena)
{
    EVP_PKEY *key = NULL;
    const char *text = "";
    if (SSL_get_peer_tmp_key(ssl, &key) != 1 || key == NULL) {
        return "";
    }
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_DH:
        text = arena_printf(arena, "DHE (%d bits)", EVP_PKEY_get_bits(key));
        break;
    case EVP_PKEY_EC:
        text = arena_printf(arena, "ECDHE (%s)", group_name(key, arena));
        break;
    default:
        text = arena_strdup(arena, EVP_PKEY_get0_type_name(key));
        break;
    }
    EVP_PKEY_free(key);
    return text;
}

/* How the owner of KEY signs in TLS 1.3. */
static const char *signature_text(const EVP_PKEY *key, struct arena *arena)
{
    if (key == NULL) {
        return "";
    }
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return arena_printf(arena, "RSA-PSS (%d bits)", EVP_PKEY_get_bits(key));
    case EVP_PKEY_EC:
        return arena_printf(arena, "ECDSA (%s)", group_name(key, arena));
    default:
        return arena_strdup(arena, EVP_PKEY_get0_type_name(key));
    }
}

static const char *digest_name(int nid)
{
    return nid != NID_undef ? OBJ_nid2sn(nid) : "";
}

static void collect_signatures(SSL *ssl, struct arena *arena, struct tls_facts *facts)
{
    int ours = NID_undef;
    int theirs = NID_undef;
    bool server = SSL_is_server(ssl) == 1;
    bool we_signed = !facts->reused && SSL_get_signature_nid(ssl, &ours) == 1;
    bool they_signed = !facts->reused && SSL_get_peer_signature_nid(ssl, &theirs) == 1;
    const EVP_PKEY *own_key = SSL_get_privatekey(ssl);
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    const EVP_PKEY *peer_key =
        certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
    const char *own_text = we_signed ? signature_text(own_key, arena) : "";
    const char *peer_text = they_signed ? signature_text(peer_key, arena) : "";
    const char *own_digest = *own_text != '\0' ? digest_name(ours) : "";
    const char *peer_digest = *peer_text != '\0' ? digest_name(theirs) : "";
    facts->server_signature = server ? own_text : peer_text;
    facts->server_digest = server ? own_digest : peer_digest;
    facts->client_signature = server ? peer_text : own_text;
    facts->client_digest = server ? peer_digest : own_digest;
}

void tls_facts_collect(SSL *ssl, const EVP_MD *digest, bool legacy, struct arena *arena,
                       struct tls_facts *facts)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    CHECK(cipher != NULL && SSL_is_init_finished(ssl));
    facts->protocol = SSL_get_version(ssl); /* static */
    facts->cipher = SSL_CIPHER_get_name(cipher);
    facts->used_bits = SSL_CIPHER_get_bits(cipher, &facts->algorithm_bits);
    facts->reused = SSL_session_reused(ssl) == 1;
    facts->asked = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;
    facts->sni = facts->sni != NULL ? facts->sni : "";
    facts->key_exchange = facts->server_signature = facts->server_digest =
        facts->client_signature = facts->client_digest = "";
    if (SSL_version(ssl) >= TLS1_3_VERSION) {
        facts->key_exchange = key_exchange(ssl, arena);
        collect_signatures(ssl, arena, facts);
    }
    collect_peer(ssl, digest, legacy, arena, &facts->peer);
    ERR_clear_error();
}

void tls_facts_describe(const struct tls_facts *facts, const char *break_first,
                        const char *break_second, struct str *out)
{
    const struct {
        const char *before, *name, *value;
    } parts[] = {
        {break_first, "key-exchange", facts->key_exchange},
        {" ", "server-signature", facts->server_signature},
        {" ", "server-digest", facts->server_digest},
        {break_second, "client-signature", facts->client_signature},
        {" ", "client-digest", facts->client_digest},
    };
    str_printf(out, "%s with cipher %s (%d/%d bits)", facts->protocol, facts->cipher,
               facts->used_bits, facts->algorithm_bits);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (*parts[i].value != '\0') {
            str_printf(out, "%s%s %s", parts[i].before, parts[i].name, parts[i].value);
        }
    }
}
