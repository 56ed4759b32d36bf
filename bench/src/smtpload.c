/* SPDX-License-Identifier: MIT */
/*
 * Connections to an SMTP server, other than mail (that is smtp-source's).
 *
 *   smtpload -m idle -p PORT -n N [-t]
 *       N connections that have said EHLO (-t: also STARTTLS); prints "ready SECONDS".
 *       A line on standard input: NOOP to each, prints "alive N".  Its end: close all.
 *   smtpload -m slow -p PORT -n N -R RECIPIENT
 *       N connections in the middle of DATA that send a byte a second each; prints
 *       "ready SECONDS"; at the end of standard input they leave without a word.
 *   smtpload -m sessions -p PORT -n N [-t [-r]] [-R RECIPIENT]
 *       N times connect, EHLO, (STARTTLS, EHLO,) QUIT; -r: resume TLS sessions; -R:
 * with a message of 1 KB.  Prints sessions per second.
 *
 * -c C: so many threads open connections (1); -a A: from so many source addresses.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"

static struct client_options options = {.port = 25};
static int total = 1, threads = 1;
static const char *recipient;  /* -R */
static struct client *clients; /* those that stay */
static int next;               /* number of the next connection, for all threads */

static int take_number(void)
{
    return __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
}

static void *open_and_keep(void *unused)
{
    for (int i = take_number(); i < total; i = take_number()) {
        client_open(&clients[i], &options, i, NULL);
    }
    return unused;
}

static void begin_data(struct client *client, const char *sender)
{
    char command[512];
    snprintf(command, sizeof(command), "MAIL FROM:<%s>\r\n", sender);
    client_command(client, command, "250");
    snprintf(command, sizeof(command), "RCPT TO:<%s>\r\n", recipient);
    client_command(client, command, "250");
    client_command(client, "DATA\r\n", "354");
}

static void send_message(struct client *client)
{
    enum { LINES = 14 };
    static const char LINE[] =
        "A line of seventy characters, as many letters have, one after another.\r\n";
    char text[1200];
    int len = snprintf(text, sizeof(text), "Subject: one message\r\n\r\n");
    for (int i = 0; i < LINES; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s", LINE);
    }
    snprintf(text + len, sizeof(text) - (size_t)len, ".\r\n");
    begin_data(client, "sender@example.org");
    client_command(client, text, "250");
}

static void *run_sessions(void *unused)
{
    SSL_SESSION *session = NULL;
    for (int i = take_number(); i < total; i = take_number()) {
        struct client client;
        client_open(&client, &options, i, &session);
        if (recipient != NULL) {
            send_message(&client);
        }
        client_command(&client, "QUIT\r\n", "221");
        client_close(&client);
    }
    SSL_SESSION_free(session);
    return unused;
}

static void in_threads(void *(*work)(void *))
{
    pthread_t *ids = calloc((size_t)threads, sizeof(*ids));
    for (int i = 0; i < threads; i++) {
        pthread_create(&ids[i], NULL, work, NULL);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    free(ids);
}

static void say(const char *word, double value)
{
    printf("%s %.4f\n", word, value);
    fflush(stdout);
}

static void open_all(void)
{
    clients = calloc((size_t)total, sizeof(*clients));
    in_threads(open_and_keep);
}

static void close_all(void)
{
    for (int i = 0; i < total; i++) {
        client_close(&clients[i]);
    }
}

static void hold_idle(double start)
{
    char line[64];
    open_all();
    say("ready", client_now() - start);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        for (int i = 0; i < total; i++) {
            client_command(&clients[i], "NOOP\r\n", "250");
        }
        say("alive", total);
    }
    close_all();
}

/* The bytes of a second are spread over it. */
static void send_slowly(double start)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    open_all();
    for (int i = 0; i < total; i++) {
        begin_data(&clients[i], "slow@example.org");
        client_write(&clients[i], "Subject: slow\r\n\r\n");
    }
    say("ready", client_now() - start);
    int pause = total < 1000 ? 1000 / total : 1;
    for (int i = 0; poll(&input, 1, pause) == 0; i = (i + 1) % total) {
        client_write(&clients[i], "x");
    }
    close_all();
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)total + 64) {
        fprintf(stderr, "%d connections need a higher limit of open files (%lu)\n",
                total, (unsigned long)limit.rlim_cur);
        exit(1);
    }
}

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
    const char *mode = "";
    int option;
    while ((option = getopt(argc, argv, "m:p:n:c:a:R:tr")) > 0) {
        switch (option) {
        case 'm':
            mode = optarg;
            break;
        case 'p':
            options.port = number(optarg);
            break;
        case 'n':
            total = number(optarg);
            break;
        case 'c':
            threads = number(optarg);
            break;
        case 'a':
            options.source_addresses = number(optarg);
            break;
        case 'R':
            recipient = optarg;
            break;
        case 't':
            options.tls = client_tls_context();
            break;
        case 'r':
            options.resume = true;
            break;
        default:
            return 2;
        }
    }
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    double start = client_now();
    if (strcmp(mode, "idle") == 0) {
        hold_idle(start);
    } else if (strcmp(mode, "slow") == 0 && recipient != NULL) {
        send_slowly(start);
    } else if (strcmp(mode, "sessions") == 0) {
        in_threads(run_sessions);
        printf("%.1f\n", total / (client_now() - start));
    } else {
        fprintf(stderr, "usage: smtpload -m idle|slow|sessions -p PORT -n N ...\n");
        return 2;
    }
    return 0;
}
