/* SPDX-License-Identifier: MIT */
/*
 * The world around the SMTP client, for its tests: a message in a queue in a temporary
 * directory, and servers on loopback addresses that follow a script.
 */
#ifndef SMTP_TEST_WORLD_H
#define SMTP_TEST_WORLD_H

#include "testing/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "net/connect.h"
#include "net/dns.h"
#include "smtp/smtp.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"
#include "testing/dns_server.h"

enum { SERVERS_MAX = 4, POLL_EVERY = 2 * CLOCK_MILLISECOND };

/*
 * A script is lines "COMMAND -> REPLY".  COMMAND is the beginning of what the client
 * says, or "banner" or "eom"; the first line that fits is used.  In REPLY "\n" ends a
 * line. "CLOSE" closes the connection, "CLOSE text" after sending text, "HANG" says
 * nothing.
 */
struct server {
    const char *script;
    int fd;
    struct str commands; /* of all sessions, one per line */
    struct str content;  /* of the last message, as on the wire */
    unsigned sessions, open;
    bool *stopping;
};

struct world {
    char *dir, *home;
    struct conf *conf;
    struct smtp smtp;
    struct arena arena;
    struct server servers[SERVERS_MAX];
    size_t server_count;
    uint16_t port;
    bool stopping;
    struct test_dns_server *dns;

    struct deliver_request request;
    struct deliver_reply reply;
    struct queue_recipient recipients[300];
    char id[QUEUE_ID_MAX];
    struct str log;
    bool done;
};

/* --- servers --------------------------------------------------------------------- */

static inline bool find_reply(const struct server *server, struct view command,
                              struct view *reply_out)
{
    struct view rest = view_cstr(server->script);
    struct view line;
    while (view_next_word(&rest, "\n", &line)) {
        const char *arrow = memmem(line.ptr, line.len, " -> ", 4);
        assert_non_null(arrow);
        struct view match = view_of(line.ptr, (size_t)(arrow - line.ptr));
        if (view_starts_nocase(command, match)) {
            *reply_out = view_from(line, match.len + 4);
            return true;
        }
    }
    return false;
}

static inline struct view default_reply(struct view command)
{
    static const struct {
        const char *command, *reply;
    } defaults[] = {
        {"banner", "220 test ESMTP"},
        {"EHLO", "250-test\\n250-PIPELINING\\n250-SIZE\\n250-8BITMIME\\n250 DSN"},
        {"HELO", "250 test"},
        {"MAIL", "250 2.1.0 sender fine"},
        {"RCPT", "250 2.1.5 recipient fine"},
        {"DATA", "354 go ahead"},
        {"eom", "250 2.0.0 taken"},
        {"RSET", "250 2.0.0 forgotten"},
        {"QUIT", "221 2.0.0 bye"}};
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        if (view_starts_nocase(command, view_cstr(defaults[i].command))) {
            return view_cstr(defaults[i].reply);
        }
    }
    return VIEW("500 what?");
}

/* False: the connection is over. */
static inline bool say(struct server *server, struct stream *client,
                       const char *command_text, struct view *reply_out)
{
    struct view command = view_cstr(command_text);
    if (!find_reply(server, command, reply_out)) {
        *reply_out = default_reply(command);
    }
    struct view text = *reply_out;
    bool close = view_starts(text, VIEW("CLOSE"));
    if (view_equal_cstr(text, "HANG")) {
        while (!*server->stopping) {
            (void)task_sleep_until(clock_now() + POLL_EVERY);
        }
        return false;
    }
    text = close ? view_from(text, strlen("CLOSE ")) : text;
    while (text.len > 0) {
        const char *end = memmem(text.ptr, text.len, "\\n", 2);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        stream_write(client, view_first(text, len));
        stream_write(client, VIEW("\r\n"));
        text = view_from(text, end != NULL ? len + 2 : len);
    }
    return stream_flush(client) && !close;
}

/* The message as sent, up to and without the final dot. */
static inline bool read_content(struct server *server, struct stream *client)
{
    struct view line;
    bool whole = false;
    str_clear(&server->content);
    while (stream_read_line(client, 100000, &line, &whole)) {
        if (view_equal_cstr(line, ".")) {
            return true;
        }
        str_add(&server->content, line);
        str_add_cstr(&server->content, whole ? "\n" : "");
    }
    return false;
}

static inline void talk(struct server *server, struct stream *client)
{
    struct view line, reply;
    bool whole = false;
    stream_set_timeout(client, 20 * CLOCK_SECOND);
    server->sessions++;
    if (!say(server, client, "banner", &reply)) {
        return;
    }
    while (stream_read_line(client, 2000, &line, &whole)) {
        char command[2001];
        (void)snprintf(command, sizeof(command), "%.*s", VIEW_ARG(line));
        str_add(&server->commands, line);
        str_add_byte(&server->commands, '\n');
        if (!say(server, client, command, &reply)) {
            return;
        }
        if (view_starts_nocase(view_cstr(command), VIEW("DATA")) &&
            view_starts(reply, VIEW("3")) &&
            (!read_content(server, client) || !say(server, client, "eom", &reply))) {
            return;
        }
        if (view_starts_nocase(view_cstr(command), VIEW("QUIT"))) {
            return;
        }
    }
}

struct connection {
    struct server *server;
    int fd;
};

static inline void connection_fiber(void *context)
{
    struct connection connection = *(struct connection *)context;
    struct stream *client = stream_new(connection.fd);
    free(context);
    connection.server->open++;
    talk(connection.server, client);
    connection.server->open--;
    stream_free(&client);
}

static inline void server_fiber(void *context)
{
    struct server *server = context;
    while (!*server->stopping) {
        (void)task_wait(server->fd, TASK_READ, clock_now() + POLL_EVERY);
        int fd = net_accept(server->fd);
        if (fd >= 0) {
            struct connection *connection = xmalloc(sizeof(*connection));
            *connection = (struct connection){server, fd};
            (void)task_spawn("test session", connection_fiber, connection);
        }
    }
    fd_close(&server->fd);
}

/* A server on ADDRESS, all of them on the same port. */
static inline struct server *serve(struct world *world, const char *address,
                                   const char *script)
{
    struct net_address where;
    struct err err;
    CHECK(world->server_count < SERVERS_MAX);
    struct server *server = &world->servers[world->server_count++];
    assert_true(net_address_parse(view_cstr(address), world->port, &where));
    server->script = script;
    server->stopping = &world->stopping;
    server->fd = listen_tcp(&where, 10, &err);
    assert_true(server->fd >= 0);
    assert_true(net_address_local(server->fd, &where));
    world->port = net_address_port(&where);
    (void)task_spawn("test server", server_fiber, server);
    return server;
}

/* --- life ------------------------------------------------------------------------ */

/* ADDRESS at the servers' port belongs to nobody: connections are refused. */
static inline int refuse(const struct world *world, const char *address)
{
    struct net_address where;
    assert_true(net_address_parse(view_cstr(address), world->port, &where));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &where.sa.any, where.len), 0);
    return fd;
}

static inline void remember(enum log_level level, const char *text, void *context)
{
    struct world *world = context;
    (void)level;
    str_add_cstr(&world->log, text);
    str_add_byte(&world->log, '\n');
}

static inline void write_message(struct world *world, struct view content)
{
    struct err err;
    struct queue_message message;
    struct queue_dirs *dirs = world->smtp.dirs;
    int fd = queue_create(dirs, QUEUE_ACTIVE, false, world->id, &err);
    assert_true(fd >= 0);
    struct queue_writer *writer = queue_writer_new(fd, clock_wall());
    queue_writer_sender(writer, world->request.sender);
    for (size_t i = 0; i < world->request.recipient_count; i++) {
        queue_writer_recipient(writer, &world->recipients[i]);
    }
    queue_writer_content(writer, content);
    assert_int_equal(queue_writer_commit(writer, false, &err), OK);
    queue_writer_free(&writer);
    FD_AUTO int in = queue_open(dirs, QUEUE_ACTIVE, world->id, O_RDONLY);
    assert_int_equal(queue_file_read(in, &world->arena, &message, &err), OK);
    size_t next = 0;
    for (size_t i = 0; i < message.record_count; i++) {
        if (message.records[i].type == QUEUE_RECORD_RECIPIENT) {
            world->recipients[next++].state_offset =
                message.records[i].recipient.state_offset;
        }
    }
    world->request.content_offset = message.content_offset;
    world->request.content_size = message.content_size;
    world->request.content_sum = message.content_sum;
    world->request.queue_id = view_cstr(world->id);
}

/* RECIPIENTS: separated by blanks. */
static inline struct world *world_new(const char *settings, const char *recipients)
{
    struct world *world = xcalloc(1, sizeof(*world));
    struct err err;
    char here[4096];
    struct view rest = view_cstr(recipients);
    struct view word;
    assert_non_null(getcwd(here, sizeof(here)));
    world->home = xstrdup(here);
    world->dir = test_make_dir();
    assert_int_equal(chdir(world->dir), 0);
    assert_int_equal(mkdir("active", 0700), 0);
    char *text = xasprintf("inet_interfaces = 127.0.0.9\nmyhostname = me.test\n"
                           "smtp_randomize_addresses = no\n%s",
                           settings);
    world->conf = conf_open_text(world->dir, text, &err);
    free(text);
    assert_non_null(world->conf);
    world->smtp = (struct smtp){.conf = world->conf,
                                .dirs = queue_dirs_new(world->conf),
                                .own = own_addresses_new(world->conf),
                                .families = DNS_IPV4};
    world->request = (struct deliver_request){.queue_name = VIEW(QUEUE_ACTIVE),
                                              .sender = VIEW("s@me.test"),
                                              .recipients = world->recipients,
                                              .arrival_time = clock_wall(),
                                              .active_time = clock_wall()};
    while (view_next_word(&rest, " ", &word)) {
        CHECK(world->request.recipient_count < ARRAY_SIZE(world->recipients));
        world->recipients[world->request.recipient_count++] =
            (struct queue_recipient){.address = word};
    }
    task_init();
    log_set_stderr(false);
    log_set_hook(remember, world);
    return world;
}

static inline void stop_fiber(void *context)
{
    struct world *world = context;
    world->stopping = true;
    if (world->dns != NULL) {
        test_dns_stop(&world->dns);
    }
}

static inline void world_free(struct world *world)
{
    (void)task_spawn("test stop", stop_fiber, world);
    task_run(true);
    dns_done();
    task_done();
    log_set_hook(NULL, NULL);
    own_addresses_free(&world->smtp.own);
    queue_dirs_free(&world->smtp.dirs);
    conf_free(&world->conf);
    arena_clear(&world->arena);
    for (size_t i = 0; i < world->server_count; i++) {
        str_done(&world->servers[i].commands);
        str_done(&world->servers[i].content);
    }
    str_done(&world->log);
    assert_int_equal(chdir(world->home), 0);
    free(world->home);
    test_remove_dir(world->dir);
    free(world);
}

static inline void run_fiber(void *context)
{
    struct world *world = context;
    delivery_run(&world->smtp, &world->request, &world->arena, &world->reply);
    world->done = true;
    /* The servers read the last words. */
    for (size_t i = 0; i < world->server_count; i++) {
        int64_t deadline = clock_now() + 100 * CLOCK_MILLISECOND;
        while (world->servers[i].open > 0 && clock_now() < deadline) {
            (void)task_sleep_until(clock_now() + POLL_EVERY);
        }
    }
    task_stop();
}

/* Deliver to NEXTHOP; "PORT" in it is the servers' port. */
static inline void deliver(struct world *world, const char *nexthop)
{
    STR_AUTO struct str expanded = {0};
    for (const char *at; (at = strstr(nexthop, "PORT")) != NULL; nexthop = at + 4) {
        str_printf(&expanded, "%.*s%u", (int)(at - nexthop), nexthop,
                   (unsigned)world->port);
    }
    str_add_cstr(&expanded, nexthop);
    if (world->id[0] == '\0') {
        write_message(world, VIEW("Subject: test\n\nbody\n"));
    }
    world->request.nexthop = arena_view(&world->arena, str_view(&expanded));
    world->done = false;
    (void)task_spawn("test delivery", run_fiber, world);
    task_run(false);
    assert_true(world->done);
}

/* "dsn status reason" of recipient I. */
static inline const char *outcome_text(struct world *world, size_t i)
{
    const struct deliver_outcome *outcome = &world->reply.outcomes[i];
    assert_true(i < world->reply.count);
    return arena_printf(&world->arena, "%.*s %c %.*s", VIEW_ARG(outcome->dsn),
                        (char)outcome->status, VIEW_ARG(outcome->reason));
}

static inline bool is_marked(const struct world *world, size_t i)
{
    uint8_t state = 0;
    FD_AUTO int fd = queue_open(world->smtp.dirs, QUEUE_ACTIVE, world->id, O_RDONLY);
    assert_int_equal(file_pread_all(fd, &state, 1, world->recipients[i].state_offset),
                     1);
    return state == RECIPIENT_DONE;
}

#endif
