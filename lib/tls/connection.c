/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL never waits here: it says what it wants to read or write, and the stream
 * waits. Nothing of it is on the stack during a wait, and its errors have been taken by
 * then.
 */
#include "tls/connection.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "task/task.h"
#include "tls/facts_collect.h"
#include "tls/library.h"
#include "tls/wire.h"

/* --- the filter ------------------------------------------------------------------ */

struct filter {
    SSL *ssl;
    bool broken; /* OpenSSL must not be asked for a farewell */
};

/* How a call of OpenSSL that gave RESULT ended, as read(2) would say it. */
static long conclude(struct filter *filter, int result, unsigned *events)
{
    int saved = errno;
    switch (SSL_get_error(filter->ssl, result)) {
    case SSL_ERROR_NONE:
        return result;
    case SSL_ERROR_WANT_READ:
        *events = TASK_READ;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_WANT_WRITE:
        *events = TASK_WRITE;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        filter->broken = true;
        tls_forget_errors();
        /* No reason given: the peer has left without a farewell. */
        errno = saved != 0 ? saved : ECONNRESET;
        return saved == 0 ? 0 : -1;
    default:
        filter->broken = true;
        tls_log_errors();
        errno = EPROTO;
        return -1;
    }
}

static int clamp(size_t len)
{
    return len < INT_MAX ? (int)len : INT_MAX;
}

static long filter_read(void *context, void *data, size_t len, unsigned *events)
{
    struct filter *filter = context;
    ERR_clear_error();
    errno = 0;
    return conclude(filter, SSL_read(filter->ssl, data, clamp(len)), events);
}

static long filter_write(void *context, const void *data, size_t len, unsigned *events)
{
    struct filter *filter = context;
    ERR_clear_error();
    errno = 0;
    int result = SSL_write(filter->ssl, data, clamp(len));
    if (result <= 0 && ERR_GET_REASON(ERR_peek_error()) == SSL_R_BAD_WRITE_RETRY) {
        /* Last words after a record that never got through. */
        filter->broken = true;
        tls_forget_errors();
        errno = EPIPE;
        return -1;
    }
    return conclude(filter, result, events);
}

static void filter_close(void *context)
{
    struct filter *filter = context;
    if (!filter->broken) {
        ERR_clear_error();
        (void)SSL_shutdown(filter->ssl); /* a farewell; nobody waits for an answer */
        tls_forget_errors();
    }
    SSL_free(filter->ssl);
    free(filter);
}

/* --- callbacks -------------------------------------------------------------------- */

struct tls_handshake *tls_handshake_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

static void on_state(const SSL *ssl, int where, int result)
{
    const struct tls_handshake *handshake = tls_handshake_of(ssl);
    if (handshake == NULL || handshake->loglevel < 2) {
        return;
    }
    const char *role = handshake->is_server ? "SSL_accept" : "SSL_connect";
    if ((where & SSL_CB_LOOP) != 0) {
        log_info("%s:%s", role, SSL_state_string_long(ssl));
    } else if ((where & SSL_CB_ALERT) != 0) {
        log_info("SSL3 alert %s:%s:%s", (where & SSL_CB_READ) != 0 ? "read" : "write",
                 SSL_alert_type_string_long(result),
                 SSL_alert_desc_string_long(result));
    } else if ((where & SSL_CB_EXIT) != 0 && result == 0) {
        log_info("%s:failed in %s", role, SSL_state_string_long(ssl));
    }
}

/* Whether a certificate is good enough is decided by who knows the site's policy; here
 * it is only found out.  What counts is the first reason against it, not the last. */
static int on_certificate(int good, X509_STORE_CTX *store)
{
    const SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_handshake *handshake = tls_handshake_of(ssl);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (handshake == NULL || certificate == NULL) {
        return 1;
    }
    if (handshake->loglevel >= 2) {
        log_info("%s: depth=%d verify=%d subject=%s", handshake->peer,
                 X509_STORE_CTX_get_error_depth(store), good,
                 tls_name_text(X509_get_subject_name(certificate), handshake->arena));
    }
    if (!good && handshake->verify_error == X509_V_OK) {
        handshake->verify_error = X509_STORE_CTX_get_error(store);
        handshake->untrusted_issuer =
            tls_name_text(X509_get_issuer_name(certificate), handshake->arena);
    }
    X509_STORE_CTX_set_error(store, handshake->verify_error);
    return 1;
}

/* RFC 6066 section 3: a list, of which the first host name counts. */
static bool parse_server_name(const unsigned char *data, size_t len, struct view *out)
{
    enum { HEAD = 5, TYPE_HOST_NAME = 0 };
    if (len < HEAD || (size_t)(data[0] << 8 | data[1]) != len - 2 ||
        data[2] != TYPE_HOST_NAME) {
        return false;
    }
    size_t name = (size_t)(data[3] << 8 | data[4]);
    *out = view_of((const char *)data + HEAD, name);
    return name > 0 && name <= len - HEAD && name <= TLSEXT_MAXLEN_host_name;
}

static bool is_host_name(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        if (!fine) {
            return false;
        }
    }
    return true;
}

/* The client has said what it wants.  Looking for it may take a wait, which must not
 * happen in here: OpenSSL is left and comes back. */
static int on_client_hello(SSL *ssl, int *alert, void *context)
{
    (void)context;
    struct tls_handshake *handshake = tls_handshake_of(ssl);
    const unsigned char *data;
    size_t len;
    struct view name;
    if (handshake == NULL || handshake->choose == NULL) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    if (handshake->chosen) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return handshake->refused ? SSL_CLIENT_HELLO_ERROR : SSL_CLIENT_HELLO_SUCCESS;
    }
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) != 1 ||
        !parse_server_name(data, len, &name) || !is_host_name(name)) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    handshake->wanted_name = arena_cstr(handshake->arena, name);
    return SSL_CLIENT_HELLO_RETRY;
}

void tls_connection_prepare(SSL_CTX *ctx)
{
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1); /* one system call per read, not two */
    SSL_CTX_set_info_callback(ctx, on_state);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx), on_certificate);
}

/* --- the handshake ---------------------------------------------------------------- */

enum step { STEP_DONE, STEP_AGAIN, STEP_READ, STEP_WRITE, STEP_LOST, STEP_FAILED };

/* As far as OpenSSL gets without waiting. */
static enum step take_step(struct tls_handshake *handshake)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(handshake->ssl);
    switch (SSL_get_error(handshake->ssl, result)) {
    case SSL_ERROR_NONE:
        return STEP_DONE;
    case SSL_ERROR_WANT_READ:
        return STEP_READ;
    case SSL_ERROR_WANT_WRITE:
        return STEP_WRITE;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
        return STEP_AGAIN;
    case SSL_ERROR_SYSCALL:
    case SSL_ERROR_ZERO_RETURN:
        tls_forget_errors();
        return STEP_LOST;
    default:
        return STEP_FAILED;
    }
}

static void log_failure(const struct tls_handshake *handshake, const char *reason)
{
    log_info("%s %s: %s",
             handshake->is_server ? "SSL_accept error from" : "SSL_connect error to",
             handshake->peer, reason);
    tls_log_errors();
}

static bool shake_hands(struct stream *stream, struct tls_handshake *handshake)
{
    for (;;) {
        enum step step = take_step(handshake);
        switch (step) {
        case STEP_DONE:
            return true;
        case STEP_AGAIN:
            handshake->chosen = true;
            handshake->refused = !handshake->choose(handshake, handshake->wanted_name);
            break;
        case STEP_LOST:
            log_failure(handshake, "lost connection");
            return false;
        case STEP_FAILED:
            log_failure(handshake, "-1");
            return false;
        case STEP_READ:
        case STEP_WRITE:
            if (!stream_wait(stream, step == STEP_READ ? TASK_READ : TASK_WRITE)) {
                log_failure(handshake, stream_problem(stream));
                return false;
            }
            break;
        }
    }
}

/* Why the peer's certificate does not count, in Postfix's words. */
static void log_untrusted(const struct tls_handshake *handshake)
{
    long error = SSL_get_verify_result(handshake->ssl);
    const char *issuer = handshake->untrusted_issuer;
    const char *side = handshake->is_server ? "client" : "server";
    switch (error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        log_info("certificate verification failed for %s: self-signed certificate",
                 handshake->peer);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        log_info("certificate verification failed for %s: untrusted issuer %s",
                 handshake->peer, issuer != NULL ? issuer : "");
        break;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        log_info(
            "certificate verification failed for %s: certificate chain longer than "
            "limit(%d)",
            handshake->peer, SSL_get_verify_depth(handshake->ssl));
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        log_info(
            "certificate verification failed for %s: not designated for use as a %s "
            "certificate",
            handshake->peer, side);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        log_info("%s certificate verification failed for %s: certificate not yet valid",
                 side, handshake->peer);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        log_info("%s certificate verification failed for %s: certificate has expired",
                 side, handshake->peer);
        break;
    default:
        log_info("%s certificate verification failed for %s: num=%ld:%s", side,
                 handshake->peer, error, X509_verify_cert_error_string(error));
        break;
    }
}

static void log_success(const struct tls_handshake *handshake)
{
    STR_AUTO struct str text = {0};
    const struct tls_facts *facts = handshake->facts;
    const struct tls_peer *peer = &facts->peer;
    if (handshake->log_untrusted && peer->present && !peer->trusted) {
        log_untrusted(handshake);
    }
    if (handshake->loglevel >= 2 && facts->reused) {
        log_info("%s: Reusing old session%s", handshake->peer,
                 handshake->is_server ? " (RFC 5077 session ticket)" : "");
    }
    if (handshake->loglevel >= 2 && peer->present) {
        log_info("subject=%s", peer->subject);
        log_info("issuer=%s", peer->issuer);
        log_info("%s: subject_CN=%s, issuer=%s, fingerprint=%s, pkey_fingerprint=%s",
                 handshake->peer, peer->subject_cn, peer->issuer_cn, peer->fingerprint,
                 peer->pubkey_fingerprint);
    }
    if (handshake->loglevel < 1) {
        return;
    }
    tls_facts_describe(facts, " ", " ", &text);
    log_info("%s TLS connection established %s %s%s%s: %s",
             !peer->present  ? "Anonymous"
             : peer->trusted ? "Trusted"
                             : "Untrusted",
             handshake->is_server ? "from" : "to", handshake->peer,
             *facts->sni != '\0' ? " to " : "", facts->sni, str_ptr(&text));
}

bool tls_connection_start(struct stream *stream, struct tls_handshake *handshake)
{
    SSL *ssl = handshake->ssl;
    CHECK(stream_pending(stream) == 0 && handshake->facts != NULL);
    *handshake->facts = (struct tls_facts){0};
    SSL_set_app_data(ssl, handshake);
    tls_wire_attach(ssl, stream_fd(stream), handshake->loglevel >= 3);
    if (handshake->is_server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    if (!stream_ok(stream) || !shake_hands(stream, handshake)) {
        SSL_free(ssl);
        stream_abandon(stream);
        return false;
    }
    if (handshake->loglevel < 4) {
        tls_wire_quiet(ssl);
    }
    tls_facts_collect(ssl, handshake->digest, handshake->legacy_fingerprints,
                      handshake->arena, handshake->facts);
    log_success(handshake);
    SSL_set_app_data(ssl, NULL);
    struct filter *filter = xcalloc(1, sizeof(*filter));
    filter->ssl = ssl;
    stream_set_filter(stream, &(struct stream_filter){.context = filter,
                                                      .read = filter_read,
                                                      .write = filter_write,
                                                      .close = filter_close});
    return true;
}
