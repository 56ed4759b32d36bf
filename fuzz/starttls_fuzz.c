/* SPDX-License-Identifier: MIT */
/*
 * The border between clear text and TLS.  The input is a byte, what stands behind
 * STARTTLS in clear text, an empty line, and what is said under TLS (or, with the
 * byte's lowest bit, instead of TLS).  Whatever stands behind STARTTLS, the first
 * command under TLS gets the first reply, and the server knows nothing of before.
 */
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "smtpd/session.h"
#include "smtpd/tls.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"
#include "tls/connection.h"

static const char SETTINGS[] =
    "compatibility_level = 3.6\nmyhostname = mail.example.com\n"
    "mynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\nalias_maps =\n"
    "local_recipient_maps =\nsmtpd_error_sleep_time = 0\nsmtpd_helo_required = yes\n"
    "smtpd_recipient_restrictions = reject\nsmtpd_tls_security_level = may\n"
    "smtpd_tls_loglevel = 2\nsmtpd_tls_ask_ccert = yes\n"
    "tls_server_sni_maps = inline:{{one.example=/proc/self/fd/%d}}\n"
    "smtpd_tls_chain_files = /proc/self/fd/%d\n";

/* A key and its certificate, in a file without a name. */
static int make_chain(void)
{
    int fd = memfd_create("chain", MFD_CLOEXEC);
    FILE *file = fdopen(fd, "w");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    CHECK(file != NULL && key != NULL && certificate != NULL);
    X509_NAME *name = X509_get_subject_name(certificate);
    const unsigned char *cn = (const unsigned char *)"mail.example.com";
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, cn, -1, -1, 0) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 365L * 24 * 60 * 60);
    CHECK(X509_set_issuer_name(certificate, name) == 1);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    CHECK(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(PEM_write_X509(file, certificate) == 1 && fflush(file) == 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return fd; /* open for the life of the process, like FILE */
}

static struct server *open_server(void)
{
    struct err err = {0};
    int fd = make_chain();
    char *text = xasprintf(SETTINGS, fd, fd);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    log_set_fd(null);
    log_set_stderr(false);
    struct conf *conf = conf_open_text("/nonexistent", text, &err);
    CHECK(conf != NULL);
    free(text);
    task_init();
    struct server *server = server_open(conf, false);
    tls_open(server, "smtp", -1);
    CHECK(tls_server_usable(server->tls));
    return server;
}

struct meeting {
    struct server *server;
    SSL_CTX *ctx;
    int server_fd, client_fd;
    bool raw, named;
    struct view before, after;
};

static void run_server(void *context)
{
    struct meeting *m = context;
    struct stream *stream = stream_new(m->server_fd);
    session_run(m->server, stream);
    stream_free(&stream);
}

/* Read one reply; false: the server has left. */
static bool reply(struct stream *stream, struct view *line)
{
    do {
        if (!stream_read_line(stream, 1000, line, NULL)) {
            return false;
        }
        CHECK(line->len > 3);
    } while (line->ptr[3] == '-');
    return true;
}

static void drain(struct stream *stream)
{
    struct view some;
    while (stream_peek_some(stream, &some)) {
        stream_consume(stream, some.len);
    }
}

static bool encrypt(struct meeting *m, struct stream *stream, struct arena *arena)
{
    SSL *ssl = SSL_new(m->ctx);
    struct tls_facts facts;
    struct tls_handshake handshake = {
        .ssl = ssl, .peer = "server", .arena = arena, .facts = &facts};
    if (m->named) {
        char name[] = "one.example"; /* OpenSSL wants it without const */
        (void)SSL_set_tlsext_host_name(ssl, name);
    }
    stream_discard_input(stream); /* the error reply of a server that does not go on */
    return tls_connection_start(stream, &handshake);
}

/* RCPT before MAIL is refused, HELO is required: the server has forgotten all. */
static void check_forgotten(struct stream *stream)
{
    struct view line;
    stream_write_cstr(stream, "MAIL FROM:<a@b.example>\r\n");
    if (stream_flush(stream) && reply(stream, &line)) {
        CHECK(view_equal_cstr(line, "503 5.5.1 Error: send HELO/EHLO first"));
    }
}

static void run_client(void *context)
{
    struct meeting *m = context;
    struct arena arena = {0};
    struct view line;
    struct stream *stream = stream_new(m->client_fd);
    stream_set_timeout(stream, 10 * CLOCK_SECOND);
    bool greeted = reply(stream, &line);
    CHECK(greeted);
    stream_write_cstr(stream, "EHLO before.example\r\nSTARTTLS\r\n");
    stream_write(stream, m->before);
    (void)stream_flush(stream);
    CHECK(reply(stream, &line) && view_starts(line, VIEW("250 ")));
    CHECK(reply(stream, &line) && view_starts(line, VIEW("220 ")));
    if (!m->raw && encrypt(m, stream, &arena)) {
        check_forgotten(stream);
    }
    stream_write(stream, m->after);
    (void)stream_flush(stream);
    if (m->raw) {
        (void)shutdown(m->client_fd, SHUT_WR);
    } else {
        stream_write_cstr(stream, "\r\n.\r\nQUIT\r\n");
        (void)stream_flush(stream);
    }
    drain(stream);
    stream_free(&stream);
    arena_clear(&arena);
}

static void split(struct view data, struct meeting *m)
{
    size_t at = 0;
    while (at + 4 <= data.len && memcmp(data.ptr + at, "\r\n\r\n", 4) != 0) {
        at++;
    }
    bool found = at + 4 <= data.len;
    m->before = view_first(data, found ? at : data.len);
    m->after = view_from(data, found ? at + 4 : data.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct server *server; /* opened once: the input is the client's */
    static SSL_CTX *ctx;
    struct meeting m = {0};
    int pair[2];
    enum { RAW = 1, NAMED = 2 };
    if (size == 0 || size > 4000) {
        return 0; /* more than a buffer is no longer waiting when TLS begins */
    }
    if (server == NULL) {
        server = open_server();
        ctx = SSL_CTX_new(TLS_client_method());
        CHECK(ctx != NULL);
        tls_connection_prepare(ctx);
    }
    m.server = server;
    m.ctx = ctx;
    m.raw = (data[0] & RAW) != 0;
    m.named = (data[0] & NAMED) != 0;
    split(view_of((const char *)data + 1, size - 1), &m);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    m.server_fd = pair[0];
    m.client_fd = pair[1];
    (void)task_spawn("server", run_server, &m);
    (void)task_spawn("client", run_client, &m);
    task_run(true);
    return 0;
}
