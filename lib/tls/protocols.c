/* SPDX-License-Identifier: MIT */
#include "tls/protocols.h"

#include <openssl/ssl.h>

struct protocol {
    const char *name;
    int version;
    uint64_t exclusion;
};

static const struct protocol PROTOCOLS[] = {
    {"SSLv2", 0x0002, 0}, /* cannot be spoken any more: "!SSLv2" is right and idle */
    {"SSLv3", SSL3_VERSION, SSL_OP_NO_SSLv3},
    {"TLSv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
    {"TLSv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {"TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {"TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};

static const struct protocol *find_protocol(struct view name)
{
    for (size_t i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
        if (view_equal_nocase_cstr(name, PROTOCOLS[i].name)) {
            return &PROTOCOLS[i];
        }
    }
    return NULL;
}

static enum outcome refuse(struct err *err, struct view word, const char *what)
{
    return err_perm(
        err, "5.7.5",
        "%s \"%.*s\": allowed are SSLv3, TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3, "
        "each alone, with \"!\" (not), \">=\" (at least) or \"<=\" (at most) in "
        "front",
        what, VIEW_ARG(word));
}

/* What a list says, before it is put in OpenSSL's terms. */
struct list {
    struct tls_protocols *out;
    uint64_t included;
};

static enum outcome add_bound(struct list *list, struct view word, struct err *err)
{
    struct view name = view_trim(view_from(word, 2));
    const struct protocol *protocol = find_protocol(name);
    /* An empty bound is none, and so is "0". */
    if (name.len == 0 || view_equal_cstr(name, "0")) {
        return OK;
    }
    if (protocol == NULL) {
        return refuse(err, word, "unknown TLS protocol in");
    }
    int *bound = word.ptr[0] == '>' ? &list->out->lowest : &list->out->highest;
    *bound = protocol->version;
    return OK;
}

static enum outcome add_word(struct list *list, struct view word, struct err *err)
{
    if (view_starts(word, VIEW(">=")) || view_starts(word, VIEW("<="))) {
        return add_bound(list, word, err);
    }
    bool negated = word.ptr[0] == '!';
    const struct protocol *protocol = find_protocol(view_from(word, negated ? 1 : 0));
    if (protocol == NULL) {
        return refuse(err, word, "unknown TLS protocol");
    }
    if (negated) {
        list->out->excluded |= protocol->exclusion;
    } else {
        list->included |= protocol->exclusion;
    }
    return OK;
}

static bool is_within(const struct tls_protocols *set, const struct protocol *protocol)
{
    return protocol->exclusion != 0 && (set->excluded & protocol->exclusion) == 0 &&
           (set->lowest == 0 || protocol->version >= set->lowest) &&
           (set->highest == 0 || protocol->version <= set->highest);
}

enum outcome tls_protocols_parse(struct view text, struct tls_protocols *out,
                                 struct err *err)
{
    struct list list = {.out = out};
    struct view rest = text;
    struct view word;
    *out = (struct tls_protocols){0};
    while (view_next_word(&rest, ", \t\r\n:", &word)) {
        if (add_word(&list, word, err) != OK) {
            return PERMFAIL;
        }
    }
    bool any = false;
    for (size_t i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
        if (list.included != 0 && (list.included & PROTOCOLS[i].exclusion) == 0) {
            out->excluded |= PROTOCOLS[i].exclusion;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
        any = any || is_within(out, &PROTOCOLS[i]);
    }
    return any ? OK : refuse(err, text, "no TLS protocol is left by");
}
