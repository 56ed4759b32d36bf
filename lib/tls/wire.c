/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL's own socket BIO uses read(2) and write(2), which raise SIGPIPE and depend on
 * the descriptor being non-blocking.
 */
#include "tls/wire.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"

struct wire {
    int fd;
    bool dump;
};

static void dump_line(const unsigned char *bytes, int offset, int count)
{
    enum { PER_LINE = 16 };
    STR_AUTO struct str line = {0};
    str_printf(&line, "%04x ", (unsigned)offset);
    for (int i = 0; i < PER_LINE; i++) {
        if (i < count) {
            str_printf(&line, "%02x%c", bytes[i], i == 7 ? '|' : ' ');
        } else {
            str_add_cstr(&line, "   ");
        }
    }
    str_add_byte(&line, ' ');
    for (int i = 0; i < count; i++) {
        char c = (char)bytes[i];
        str_add_byte(&line, ascii_printable(c) ? c : '.');
        if (i == 7) {
            str_add_byte(&line, ' ');
        }
    }
    log_info("%s", str_ptr(&line));
}

static void dump(const char *what, const void *data, int asked, int done)
{
    enum { PER_LINE = 16 };
    const unsigned char *bytes = data;
    log_info("%s (%d bytes => %d)", what, asked, done);
    for (int at = 0; at < done; at += PER_LINE) {
        dump_line(bytes + at, at, done - at < PER_LINE ? done - at : PER_LINE);
    }
}

static int wire_read(BIO *bio, char *data, int len)
{
    const struct wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(wire->fd, data, (size_t)len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    if (wire->dump && got != 0) {
        dump("read from client", data, len, (int)got);
    }
    return (int)got;
}

static int wire_write(BIO *bio, const char *data, int len)
{
    const struct wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(wire->fd, data, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    if (wire->dump) {
        dump("write to client", data, len, (int)sent);
    }
    return (int)sent;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int wire_free(BIO *bio)
{
    free(BIO_get_data(bio));
    BIO_set_data(bio, NULL);
    return 1;
}

static BIO_METHOD *wire_method(void)
{
    static BIO_METHOD *method; /* of the process, like OpenSSL's own */
    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
        CHECK(method != NULL && BIO_meth_set_read(method, wire_read) == 1 &&
              BIO_meth_set_write(method, wire_write) == 1 &&
              BIO_meth_set_ctrl(method, wire_control) == 1 &&
              BIO_meth_set_destroy(method, wire_free) == 1);
    }
    return method;
}

void tls_wire_attach(SSL *ssl, int fd, bool dump_bytes)
{
    struct wire *wire = xcalloc(1, sizeof(*wire));
    BIO *bio = BIO_new(wire_method());
    CHECK(bio != NULL && fd >= 0);
    wire->fd = fd;
    wire->dump = dump_bytes;
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
}

void tls_wire_quiet(SSL *ssl)
{
    struct wire *wire = BIO_get_data(SSL_get_rbio(ssl));
    wire->dump = false;
}
