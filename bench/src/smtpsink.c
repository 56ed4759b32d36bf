/* SPDX-License-Identifier: MIT */
/*
 * The other end of a relay benchmark: an SMTP server that takes all mail and throws it
 * away, cheaply enough not to be what is measured.
 *
 *   smtpsink -p PORT     a line on standard input: prints the number of messages so
 *                        far; its end: leave.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 65536, LINE_MAX_BYTES = 1024, EVENTS = 64, BACKLOG = 1024 };

struct connection {
    int fd;
    bool in_data;
    int end_matched; /* bytes of CRLF.CRLF that have come */
    size_t line_len;
    char line[LINE_MAX_BYTES];
    size_t out_len;
    char out[CHUNK];
};

static const char data_end[] = "\r\n.\r\n";
static unsigned long messages;

static void say(struct connection *connection, const char *reply)
{
    size_t len = strlen(reply);
    if (connection->out_len + len <= sizeof(connection->out)) {
        memcpy(connection->out + connection->out_len, reply, len);
        connection->out_len += len;
    }
}

/* True when the connection is to be closed. */
static bool serve_line(struct connection *connection)
{
    const char *line = connection->line;
    if (strncasecmp(line, "EHLO", 4) == 0) {
        say(connection,
            "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n");
    } else if (strncasecmp(line, "DATA", 4) == 0) {
        say(connection, "354 go ahead\r\n");
        connection->in_data = true;
        connection->end_matched = 2; /* a dot may come at once */
    } else if (strncasecmp(line, "QUIT", 4) == 0) {
        say(connection, "221 bye\r\n");
        return true;
    } else {
        say(connection, "250 ok\r\n");
    }
    return false;
}

/* How many bytes of DATA end with the message, or all. */
static size_t skip_data(struct connection *connection, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int matched = connection->end_matched;
        if (data[i] == data_end[matched]) {
            connection->end_matched = ++matched;
        } else {
            connection->end_matched = data[i] == '\r' ? 1 : 0;
        }
        if (connection->end_matched == (int)sizeof(data_end) - 1) {
            messages++;
            connection->in_data = false;
            say(connection, "250 ok\r\n");
            return i + 1;
        }
        if (connection->end_matched == 0) {
            const char *next = memchr(data + i, '\r', len - i);
            if (next == NULL) {
                return len;
            }
            i = (size_t)(next - data) - 1;
        }
    }
    return len;
}

/* As skip_data, of commands. */
static size_t take_line(struct connection *connection, const char *data, size_t len,
                        bool *quit)
{
    const char *end = memchr(data, '\n', len);
    size_t part = end != NULL ? (size_t)(end - data) + 1 : len;
    size_t room = sizeof(connection->line) - 1 - connection->line_len;
    size_t copied = part < room ? part : room;
    memcpy(connection->line + connection->line_len, data, copied);
    connection->line_len += copied;
    connection->line[connection->line_len] = '\0';
    if (end != NULL) {
        *quit = serve_line(connection);
        connection->line_len = 0;
    }
    return part;
}

static bool serve(struct connection *connection)
{
    static char data[CHUNK];
    bool quit = false;
    ssize_t len = read(connection->fd, data, sizeof(data));
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (len <= 0) {
        return false;
    }
    for (size_t done = 0; done < (size_t)len && !quit;) {
        size_t rest = (size_t)len - done;
        done += connection->in_data ? skip_data(connection, data + done, rest)
                                    : take_line(connection, data + done, rest, &quit);
    }
    if (connection->out_len > 0 &&
        write(connection->fd, connection->out, connection->out_len) < 0) {
        quit = true;
    }
    connection->out_len = 0;
    return !quit;
}

static int listen_on(int port)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        perror("smtpsink: listen");
        exit(1);
    }
    return fd;
}

static void watch(int epoll, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll, int listener)
{
    static const char greeting[] = "220 sink.example ESMTP\r\n";
    int on = 1;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *connection = calloc(1, sizeof(*connection));
        connection->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch(epoll, fd, connection);
        if (write(fd, greeting, sizeof(greeting) - 1) < 0) {
            perror("smtpsink: greet");
        }
    }
}

static void answer_question(void)
{
    char line[64];
    if (read(STDIN_FILENO, line, sizeof(line)) <= 0) {
        exit(0);
    }
    printf("%lu\n", messages);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    if (argc != 3 || strcmp(argv[1], "-p") != 0) {
        fprintf(stderr, "usage: smtpsink -p PORT\n");
        return 2;
    }
    int listener = listen_on((int)strtol(argv[2], NULL, 10));
    int epoll = epoll_create1(0);
    watch(epoll, listener, &listener);
    watch(epoll, STDIN_FILENO, NULL);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].data.ptr == &listener) {
                accept_all(epoll, listener);
            } else if (connection == NULL) {
                answer_question();
            } else if (!serve(connection)) {
                close(connection->fd);
                free(connection);
            }
        }
    }
}
