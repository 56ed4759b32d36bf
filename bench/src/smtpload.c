/* SPDX-License-Identifier: MIT */
/* smtpload.c - idle connections and STARTTLS handshakes.
 *
 *   smtpload -p PORT -n N -i [-t]     open N connections (EHLO; -t: STARTTLS, EHLO),
 * print "ready SECONDS", hold until stdin ends smtpload -p PORT -n N -c C [-t] [-r]  N
 * full sessions (EHLO [STARTTLS EHLO] QUIT) by C threads; -r: resume TLS sessions.
 * Prints sessions/s
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int port = 25, total = 1, conc = 1, tls, idle, resume, done;
static SSL_CTX *ctx;

struct conn {
    int fd;
    SSL *ssl;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void reply(struct conn *c, const char *want)
{
    char buf[4096];
    int n = 0, k;

    for (;;) {
        k = c->ssl ? SSL_read(c->ssl, buf + n, sizeof buf - 1 - n)
                   : read(c->fd, buf + n, sizeof buf - 1 - n);
        if (k <= 0) {
            fprintf(stderr, "connection lost\n");
            exit(1);
        }
        n += k;
        buf[n] = 0;
        if (n >= 6 && buf[n - 1] == '\n') {
            char *p = buf + n - 2;
            while (p > buf && p[-1] != '\n')
                p--;
            if (p[3] == ' ') {
                if (strncmp(p, want, strlen(want))) {
                    fprintf(stderr, "wanted %s got %s", want, buf);
                    exit(1);
                }
                return;
            }
        }
    }
}

static void cmd(struct conn *c, const char *s, const char *want)
{
    int n = strlen(s);
    if ((c->ssl ? SSL_write(c->ssl, s, n) : write(c->fd, s, n)) != n) {
        fprintf(stderr, "write failed\n");
        exit(1);
    }
    reply(c, want);
}

static void hello(struct conn *c, SSL_SESSION **sess)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger l = {1, 0};

    c->ssl = 0;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a)) {
        perror("connect");
        exit(1);
    }
    reply(c, "220");
    cmd(c, "EHLO bench.client\r\n", "250");
    if (tls) {
        cmd(c, "STARTTLS\r\n", "220");
        c->ssl = SSL_new(ctx);
        SSL_set_fd(c->ssl, c->fd);
        if (sess && *sess)
            SSL_set_session(c->ssl, *sess);
        if (SSL_connect(c->ssl) != 1) {
            fprintf(stderr, "handshake failed\n");
            exit(1);
        }
        struct conn t = {c->fd, c->ssl};
        cmd(&t, "EHLO bench.client\r\n", "250");
        if (sess && resume) {
            if (*sess)
                SSL_SESSION_free(*sess);
            *sess = SSL_get1_session(c->ssl);
        }
    }
}

static void *worker(void *arg)
{
    struct conn c;
    SSL_SESSION *sess = 0;

    (void)arg;
    while (__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED) < total) {
        hello(&c, &sess);
        cmd(&c, "QUIT\r\n", "221");
        if (c.ssl)
            SSL_free(c.ssl);
        close(c.fd);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int o, i;
    double t0;
    char b[64];

    while ((o = getopt(argc, argv, "p:n:c:tir")) > 0)
        switch (o) {
        case 'p':
            port = (int)strtol(optarg, NULL, 10);
            break;
        case 'n':
            total = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            conc = (int)strtol(optarg, NULL, 10);
            break;
        case 't':
            tls = 1;
            break;
        case 'i':
            idle = 1;
            break;
        case 'r':
            resume = 1;
            break;
        default:
            return 2;
        }
    ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    t0 = now();
    if (idle) {
        struct conn *c = calloc(total, sizeof *c);
        for (i = 0; i < total; i++)
            hello(c + i, 0);
        printf("ready %.3f\n", now() - t0);
        fflush(stdout);
        while (read(0, b, sizeof b) > 0)
            ;
        return 0;
    }
    pthread_t *t = calloc(conc, sizeof *t);
    for (i = 0; i < conc; i++)
        pthread_create(t + i, 0, worker, 0);
    for (i = 0; i < conc; i++)
        pthread_join(t[i], 0);
    printf("%.1f\n", total / (now() - t0));
    return 0;
}
