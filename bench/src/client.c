/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_MAX = 4096, FIRST_SOURCE = 0x7f000101, SHORTEST_REPLY = 6 };

static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(1);
}

double client_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

SSL_CTX *client_tls_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

/* The last line of a reply has a space behind its code. */
static bool is_complete(const char *reply, int len)
{
    if (len < SHORTEST_REPLY || reply[len - 1] != '\n') {
        return false;
    }
    const char *line = reply + len - 2;
    while (line > reply && line[-1] != '\n') {
        line--;
    }
    return line[3] == ' ';
}

static void read_reply(struct client *client, const char *want)
{
    char reply[REPLY_MAX];
    int len = 0;
    do {
        int room = (int)sizeof(reply) - 1 - len;
        int got = client->ssl != NULL
                      ? SSL_read(client->ssl, reply + len, room)
                      : (int)read(client->fd, reply + len, (size_t)room);
        if (got <= 0) {
            fail("connection lost while waiting for %s", want);
        }
        len += got;
        reply[len] = '\0';
    } while (!is_complete(reply, len));
    if (strncmp(reply, want, strlen(want)) != 0) {
        fail("wanted %s, got %s", want, reply);
    }
}

void client_write(struct client *client, const char *text)
{
    int len = (int)strlen(text);
    int done = client->ssl != NULL ? SSL_write(client->ssl, text, len)
                                   : (int)write(client->fd, text, (size_t)len);
    if (done != len) {
        fail("connection lost while sending %s", text);
    }
}

void client_command(struct client *client, const char *text, const char *want)
{
    client_write(client, text);
    read_reply(client, want);
}

static void bind_source(int fd, int number)
{
    int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr =
                                     htonl(FIRST_SOURCE + (uint32_t)number)};
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&source, sizeof(source)) != 0) {
        fail("bind 127.0.1.%d: %m", number + 1);
    }
}

static void start_tls(struct client *client, const struct client_options *options,
                      SSL_SESSION **session)
{
    client_command(client, "STARTTLS\r\n", "220");
    client->ssl = SSL_new(options->tls);
    SSL_set_fd(client->ssl, client->fd);
    if (session != NULL && *session != NULL) {
        SSL_set_session(client->ssl, *session);
    }
    if (SSL_connect(client->ssl) != 1) {
        fail("TLS handshake failed");
    }
    client_command(client, "EHLO bench.client\r\n", "250");
    if (session != NULL && options->resume) {
        SSL_SESSION_free(*session);
        *session = SSL_get1_session(client->ssl);
    }
}

void client_open(struct client *client, const struct client_options *options,
                 int number, SSL_SESSION **session)
{
    struct linger reset = {1, 0};
    int on = 1;
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)options->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    if (client->fd < 0) {
        fail("socket: %m");
    }
    (void)setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (options->source_addresses > 0) {
        bind_source(client->fd, number % options->source_addresses);
    }
    if (connect(client->fd, (struct sockaddr *)&server, sizeof(server)) != 0) {
        fail("connect: %m");
    }
    read_reply(client, "220");
    client_command(client, "EHLO bench.client\r\n", "250");
    if (options->tls != NULL) {
        start_tls(client, options, session);
    }
}

void client_close(struct client *client)
{
    SSL_free(client->ssl);
    close(client->fd);
}
