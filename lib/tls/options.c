/* SPDX-License-Identifier: MIT */
#include "tls/options.h"

#include <openssl/ssl.h>

#include "base/ascii.h"
#include "base/check.h"

struct option {
    const char *name;
    uint64_t bit;
};

#define OPTION(name)                                                                   \
    {                                                                                  \
#name, SSL_OP_##name                                                           \
    }

static const struct option OPTIONS[] = {
    OPTION(ALLOW_NO_DHE_KEX),
    OPTION(ENABLE_MIDDLEBOX_COMPAT),
    OPTION(LEGACY_SERVER_CONNECT),
    OPTION(NO_COMPRESSION),
    OPTION(NO_ENCRYPT_THEN_MAC),
    OPTION(NO_EXTENDED_MASTER_SECRET),
    OPTION(NO_RENEGOTIATION),
    OPTION(NO_SESSION_RESUMPTION_ON_RENEGOTIATION),
    OPTION(NO_TICKET),
    OPTION(PRIORITIZE_CHACHA),
    OPTION(TLSEXT_PADDING),
};

static const struct option WORKAROUNDS[] = {
    OPTION(CRYPTOPRO_TLSEXT_BUG),
    OPTION(DONT_INSERT_EMPTY_FRAGMENTS),
    OPTION(LEGACY_SERVER_CONNECT),
    OPTION(SAFARI_ECDHE_ECDSA_BUG),
    OPTION(TLSEXT_PADDING),
    OPTION(TLS_ROLLBACK_BUG),
    /* Workarounds for clients that are gone; OpenSSL has forgotten them. */
    {"MICROSOFT_BIG_SSLV3_BUFFER", 0},
    {"MICROSOFT_BIG_SSLV3_BUFFERS", 0},
    {"MICROSOFT_SESS_ID_BUG", 0},
    {"MSIE_SSLV2_RSA_PADDING", 0},
    {"NETSCAPE_CHALLENGE_BUG", 0},
    {"NETSCAPE_REUSE_CIPHER_CHANGE_BUG", 0},
    {"SSLEAY_080_CLIENT_DH_BUG", 0},
    {"SSLREF2_REUSE_CERT_TYPE_BUG", 0},
    {"TLS_BLOCK_PADDING_BUG", 0},
    {"TLS_D5_BUG", 0},
};

static bool parse_hex(struct view word, uint64_t *out)
{
    uint64_t value = 0;
    if (!view_starts_nocase(word, VIEW("0x")) || word.len < 3 || word.len > 18) {
        return false;
    }
    for (size_t i = 2; i < word.len; i++) {
        int digit = ascii_hex(word.ptr[i]);
        if (digit < 0) {
            return false;
        }
        value = value * 16 + (uint64_t)digit;
    }
    *out = value;
    return true;
}

static bool find(const struct option *table, size_t count, struct view word,
                 uint64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (view_equal_nocase_cstr(word, table[i].name)) {
            *out = table[i].bit;
            return true;
        }
    }
    return parse_hex(word, out);
}

static bool parse(const struct option *table, size_t count, struct view text,
                  uint64_t *out, struct view *bad_out)
{
    struct view word;
    bool good = true;
    CHECK(out != NULL && bad_out != NULL);
    *out = 0;
    while (view_next_word(&text, ", \t\r\n", &word)) {
        uint64_t bit;
        if (find(table, count, word, &bit)) {
            *out |= bit;
        } else {
            *bad_out = word;
            good = false;
        }
    }
    return good;
}

bool tls_options_parse(struct view text, uint64_t *out, struct view *bad_out)
{
    return parse(OPTIONS, ARRAY_SIZE(OPTIONS), text, out, bad_out);
}

bool tls_workarounds_parse(struct view text, uint64_t *out, struct view *bad_out)
{
    return parse(WORKAROUNDS, ARRAY_SIZE(WORKAROUNDS), text, out, bad_out);
}

const char *tls_options_names(void)
{
    return "ALLOW_NO_DHE_KEX, ENABLE_MIDDLEBOX_COMPAT, LEGACY_SERVER_CONNECT, "
           "NO_COMPRESSION, NO_ENCRYPT_THEN_MAC, NO_EXTENDED_MASTER_SECRET, "
           "NO_RENEGOTIATION, NO_SESSION_RESUMPTION_ON_RENEGOTIATION, NO_TICKET, "
           "PRIORITIZE_CHACHA, TLSEXT_PADDING, or 0x and hexadecimal digits";
}
