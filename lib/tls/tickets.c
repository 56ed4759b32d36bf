/* SPDX-License-Identifier: MIT */
#include "tls/tickets.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "sys/clock.h"
#include "tls/connection.h"
#include "tls/library.h"

struct tls_tickets {
    struct tls_ticket_keys *keys;
    int64_t lifetime; /* of a key, sealing and opening */
    EVP_CIPHER *cipher;
};

/* What OpenSSL's callback answers. */
enum answer { ANSWER_FAILED = -1, ANSWER_NO = 0, ANSWER_YES = 1, ANSWER_YES_RENEW = 2 };

static int tickets_index(void)
{
    static int index = -1; /* of the process: OpenSSL hands out each once */
    if (index < 0) {
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
        CHECK(index >= 0);
    }
    return index;
}

static void log_key(const SSL *ssl, const char *what, const struct tls_tickets *tickets,
                    const struct tls_ticket_key *key)
{
    const struct tls_handshake *handshake = tls_handshake_of(ssl);
    if (handshake != NULL && handshake->loglevel >= 2) {
        log_info("%s: %s session ticket, key expiration: %" PRId64, handshake->peer,
                 what, key->made + tickets->lifetime);
    }
}

static bool init_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
    static char digest[] = "sha256"; /* OpenSSL wants it without const */
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_init(mac, key->mac, sizeof(key->mac), parameters) == 1;
}

static int seal(SSL *ssl, const struct tls_tickets *tickets, unsigned char *name,
                unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    const struct tls_ticket_key *key =
        tls_ticket_keys_current(tickets->keys, clock_wall() / CLOCK_SECOND);
    if (key == NULL) {
        return ANSWER_NO;
    }
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->cipher)) != 1 ||
        EVP_EncryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) != 1 ||
        !init_mac(mac, key)) {
        return ANSWER_FAILED;
    }
    memcpy(name, key->name, sizeof(key->name));
    log_key(ssl, "Issuing", tickets, key);
    return ANSWER_YES;
}

static int open_sealed(SSL *ssl, const struct tls_tickets *tickets,
                       const unsigned char *name, const unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    bool old;
    const struct tls_ticket_key *key =
        tls_ticket_keys_find(tickets->keys, name, clock_wall() / CLOCK_SECOND, &old);
    if (key == NULL) {
        return ANSWER_NO;
    }
    if (EVP_DecryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) != 1 ||
        !init_mac(mac, key)) {
        return ANSWER_FAILED;
    }
    log_key(ssl, "Decrypting", tickets, key);
    return old ? ANSWER_YES_RENEW : ANSWER_YES;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
    const struct tls_tickets *tickets =
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tickets_index());
    CHECK(tickets != NULL);
    return sealing ? seal(ssl, tickets, name, iv, cipher, mac)
                   : open_sealed(ssl, tickets, name, iv, cipher, mac);
}

/* Other ciphers need a longer initialisation vector or another key than OpenSSL's
 * callback has room for. */
static EVP_CIPHER *fetch_cipher(const char *name, struct tls_report *report)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    if (cipher != NULL && EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CBC_MODE &&
        EVP_CIPHER_get_block_size(cipher) == 16 &&
        EVP_CIPHER_get_iv_length(cipher) == 16 &&
        EVP_CIPHER_get_key_length(cipher) >= 16 &&
        EVP_CIPHER_get_key_length(cipher) <= TLS_TICKET_SECRET) {
        return cipher;
    }
    char *text = xasprintf(
        "tls_session_ticket_cipher: invalid value: %s; session tickets disabled", name);
    tls_report(report,
               &(struct tls_mistake){
                   .parameter = "tls_session_ticket_cipher",
                   .harmless = true,
                   .text = text,
                   .hint = "specify a cipher with 16-byte blocks in CBC mode, such as "
                           "aes-256-cbc"});
    free(text);
    EVP_CIPHER_free(cipher);
    tls_forget_errors();
    return NULL;
}

struct tls_tickets *tls_tickets_new(SSL_CTX *ctx, struct tls_ticket_keys *keys,
                                    int64_t lifetime, const struct conf *conf,
                                    struct tls_report *report)
{
    struct tls_tickets *tickets = xcalloc(1, sizeof(*tickets));
    bool wanted = keys != NULL && (SSL_CTX_get_options(ctx) & SSL_OP_NO_TICKET) == 0;
    tickets->keys = keys;
    tickets->lifetime = lifetime;
    if (wanted) {
        tickets->cipher =
            fetch_cipher(conf_str(conf, P_tls_session_ticket_cipher), report);
    }
    if (tickets->cipher == NULL) {
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        (void)SSL_CTX_set_num_tickets(ctx, 0);
        return tickets;
    }
    CHECK(SSL_CTX_set_ex_data(ctx, tickets_index(), tickets) == 1);
    CHECK(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1);
    /* A mail client comes back on one connection at a time, and gets another one then.
     */
    CHECK(SSL_CTX_set_num_tickets(ctx, 1) == 1);
    return tickets;
}

void tls_tickets_free(struct tls_tickets **tickets)
{
    if (*tickets == NULL) {
        return;
    }
    tls_ticket_keys_close(&(*tickets)->keys);
    EVP_CIPHER_free((*tickets)->cipher);
    free(*tickets);
    *tickets = NULL;
}
