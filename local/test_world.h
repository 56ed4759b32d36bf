/* SPDX-License-Identifier: MIT */
/*
 * The world around local delivery, for its tests: users whose homes lie in a temporary
 * directory and who all are the user that runs the test, a message in the queue, and
 * cleanup and another delivery agent as child processes that write down what they get.
 */
#ifndef LOCAL_TEST_WORLD_H
#define LOCAL_TEST_WORLD_H

#include "testing/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "local/agent.h"
#include "mailbox/mailbox_testing.h"
#include "net/connect.h"
#include "rpc/submit_server.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { USERS = 4, CHILDREN_MAX = 4 };

struct world {
    char *dir, *home;
    struct service_context context;
    struct conf *conf;
    struct local *local;
    struct queue_dirs *dirs;
    struct arena arena;
    struct deliver_request request;
    struct deliver_reply reply;
    struct queue_recipient recipients[4];
    char id[QUEUE_ID_MAX];
    struct str log;
    pid_t children[CHILDREN_MAX];
    size_t child_count;
};

/* --- users --- */

/* The accounts; the library's functions look here instead of in the system's files. */
static struct passwd accounts[USERS];
static char homes[USERS][600];
static const char *const names[USERS] = {"ann", "bob", "cat", "dan"};

static inline void make_accounts(const char *dir)
{
    static char shell[] = "/bin/sh";
    static char logins[USERS][8];
    for (size_t i = 0; i < USERS; i++) {
        (void)snprintf(logins[i], sizeof(logins[i]), "%s", names[i]);
        (void)snprintf(homes[i], sizeof(homes[i]), "%s/%s", dir, names[i]);
        accounts[i] = (struct passwd){.pw_name = logins[i],
                                      .pw_dir = homes[i],
                                      .pw_shell = shell,
                                      .pw_uid = geteuid(),
                                      .pw_gid = getegid()};
        assert_int_equal(mkdir(homes[i], 0700), 0);
    }
}

struct passwd *getpwnam(const char *name)
{
    if (strcmp(name, "broken") == 0) {
        errno = EIO;
        return NULL;
    }
    for (size_t i = 0; i < USERS; i++) {
        if (strcmp(name, names[i]) == 0) {
            return &accounts[i];
        }
    }
    return NULL;
}

/* --- other services ------------------------------------------------------------------
 */

static inline void append_line(const char *file, const char *format, ...)
    PRINTF_LIKE(2, 3);

static inline void append_line(const char *file, const char *format, ...)
{
    STR_AUTO struct str line = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&line, format, args);
    va_end(args);
    FD_AUTO int fd = open(file, O_WRONLY | O_APPEND | O_CREAT, 0600);
    CHECK(file_write_all(fd, str_ptr(&line), line.len));
}

/* cleanup: "FROM sender", "TO recipient (original)", and the content. */
static inline void cleanup_session(struct stream *client)
{
    static int serial = 0;
    char id[QUEUE_ID_MAX];
    struct submit_record record;
    struct submit_result result = {.status = SUBMIT_OK};
    while (submit_receive(client, &record)) {
        if (record.kind == SUBMIT_FRAME_OPEN) {
            (void)snprintf(id, sizeof(id), "F0F0F%d", ++serial);
            (void)submit_send_opened(client, true, view_cstr(id));
        } else if (record.kind == SUBMIT_FRAME_SENDER) {
            append_line("forwarded", "FROM <%.*s>\n", VIEW_ARG(record.text));
        } else if (record.kind == SUBMIT_FRAME_RECIPIENT) {
            append_line("forwarded", "TO <%.*s> (%.*s)\n",
                        VIEW_ARG(record.recipient.address),
                        VIEW_ARG(record.recipient.original));
        } else if (record.kind == SUBMIT_FRAME_CONTENT) {
            append_line("forwarded", "%.*s", VIEW_ARG(record.text));
        } else if (record.kind == SUBMIT_FRAME_FINISH) {
            append_line("forwarded", "END\n");
            (void)submit_send_result(client, &result);
        }
    }
}

/* A delivery agent: "NEXTHOP recipient". */
static inline void agent_session(struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    while (deliver_receive_request(client, &arena, &request)) {
        struct deliver_outcome outcome = {.status = DELIVER_SENT, .dsn = VIEW("2.0.0")};
        struct deliver_reply reply = {.outcomes = &outcome, .count = 1};
        append_line("passed", "%.*s <%.*s>\n", VIEW_ARG(request.nexthop),
                    VIEW_ARG(request.recipients[0].address));
        if (view_starts(request.nexthop, VIEW("later"))) {
            outcome.status = DELIVER_DEFERRED;
        }
        (void)deliver_send_reply(client, &reply);
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static inline void serve(struct world *world, const char *path,
                         void (*session)(struct stream *client))
{
    struct err err;
    int listener = listen_unix(path, 5, &err);
    assert_true(listener >= 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        (void)fd_set_nonblocking(listener, false);
        for (;;) {
            int fd = net_accept(listener);
            if (fd >= 0) {
                struct stream *client = stream_new(fd);
                session(client);
                stream_free(&client);
            }
        }
    }
    (void)close(listener);
    world->children[world->child_count++] = child;
}

/* --- life --- */

static inline void remember(enum log_level level, const char *text, void *context)
{
    struct world *world = context;
    mail_remember(&world->log, level, text);
}

static inline void write_message(struct world *world, struct view content)
{
    mail_write(world->dirs, &world->arena, &world->request, world->recipients,
               world->id, content);
}

static inline struct world *world_new(const char *settings)
{
    static const char *const dirs[] = {"active", "public", "private", "spool"};
    struct world *world = xcalloc(1, sizeof(*world));
    struct err err;
    char here[4096];
    assert_non_null(getcwd(here, sizeof(here)));
    world->home = xstrdup(here);
    world->dir = test_make_dir();
    assert_int_equal(chdir(world->dir), 0);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        assert_int_equal(mkdir(dirs[i], 0700), 0);
    }
    make_accounts(world->dir);
    char *text = xasprintf("myhostname = mail.test\nmydestination = mail.test, "
                           "localhost\nappend_dot_mydomain = no\nalias_maps "
                           "=\ninet_interfaces = 127.0.0.1\n"
                           "deliver_lock_delay = 1s\ndeliver_lock_attempts = 1\n"
                           "mail_spool_directory = %s/spool\n%s",
                           world->dir, settings);
    world->conf = conf_open_text(world->dir, text, &err);
    free(text);
    assert_non_null(world->conf);
    world->context.conf = world->conf;
    world->context.name = "local";
    world->dirs = queue_dirs_new(world->conf);
    world->request = (struct deliver_request){.queue_name = VIEW(QUEUE_ACTIVE),
                                              .nexthop = VIEW("mail.test"),
                                              .sender = VIEW("s@x.test"),
                                              .recipients = world->recipients,
                                              .recipient_count = 1};
    log_set_stderr(false);
    log_set_hook(remember, world);
    serve(world, "public/cleanup", cleanup_session);
    world->local = local_agent_open(&world->context);
    local_agent_ready(world->local);
    return world;
}

static inline void world_free(struct world *world)
{
    for (size_t i = 0; i < world->child_count; i++) {
        (void)kill(world->children[i], SIGKILL);
        (void)waitpid(world->children[i], NULL, 0);
    }
    log_set_hook(NULL, NULL);
    local_agent_close(&world->local);
    queue_dirs_free(&world->dirs);
    conf_free(&world->conf);
    arena_clear(&world->arena);
    str_done(&world->log);
    assert_int_equal(chdir(world->home), 0);
    free(world->home);
    test_remove_dir(world->dir);
    free(world);
}

/* Deliver CONTENT to RECIPIENT; what the log says. */
static inline const char *deliver_content(struct world *world, const char *recipient,
                                          struct view content)
{
    world->recipients[0] = (struct queue_recipient){.address = view_cstr(recipient),
                                                    .original = view_cstr(recipient)};
    write_message(world, content);
    str_clear(&world->log);
    local_agent_deliver(world->local, &world->request, &world->arena, &world->reply);
    return str_ptr(&world->log);
}

static inline const char *deliver(struct world *world, const char *recipient)
{
    return deliver_content(world, recipient,
                           VIEW("Subject: test\n\nFrom line\nbody\n"));
}

static inline bool is_marked(const struct world *world)
{
    return mail_is_marked(world->dirs, world->id, &world->recipients[0]);
}

/* Content of a file, "" when it is not there. */
static inline const char *content_of(struct world *world, const char *path)
{
    return mail_file(&world->arena, path);
}

#endif
