/* SPDX-License-Identifier: MIT */
/*
 * The world around local delivery, for its tests: users whose homes lie in a temporary
 * directory and who all are the user that runs the test, a message in the queue, and
 * cleanup and another delivery agent as child processes that write down what they get.
 */
#ifndef LOCAL_TEST_WORLD_H
#define LOCAL_TEST_WORLD_H

#include "testing/test.h"

#include <dirent.h>
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
    const char *to = strstr(text, ": to=<");
    const char *dsn = strstr(text, "dsn=");
    if (level >= LOG_LEVEL_FATAL) {
        (void)fprintf(stderr, "%s\n", text);
    }
    /* Of a delivery only who, and how it ended. */
    if (to != NULL && dsn != NULL) {
        str_printf(&world->log, "%.*s %s\n", (int)(strchr(to, '>') - to - 6), to + 6,
                   dsn + 4);
    } else {
        str_printf(&world->log, "%s\n", text);
    }
}

static inline void write_message(struct world *world, struct view content)
{
    struct err err;
    struct queue_message message;
    int fd = queue_create(world->dirs, QUEUE_ACTIVE, false, world->id, &err);
    assert_true(fd >= 0);
    struct queue_writer *writer = queue_writer_new(fd, clock_wall());
    queue_writer_sender(writer, world->request.sender);
    for (size_t i = 0; i < world->request.recipient_count; i++) {
        queue_writer_recipient(writer, &world->recipients[i]);
    }
    queue_writer_content(writer, content);
    assert_int_equal(queue_writer_commit(writer, false, &err), OK);
    queue_writer_free(&writer);
    FD_AUTO int in = queue_open(world->dirs, QUEUE_ACTIVE, world->id, O_RDONLY);
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
    uint8_t state = 0;
    FD_AUTO int fd = queue_open(world->dirs, QUEUE_ACTIVE, world->id, O_RDONLY);
    assert_int_equal(file_pread_all(fd, &state, 1, world->recipients[0].state_offset),
                     1);
    return state == RECIPIENT_DONE;
}

/* Content of a file, "" when it is not there. */
static inline const char *content_of(struct world *world, const char *path)
{
    STR_AUTO struct str text = {0};
    struct err err;
    if (file_read(path, 10000000, &text, &err) != OK) {
        return "";
    }
    return arena_strdup(&world->arena, str_ptr(&text));
}

static inline size_t files_in(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        count += e->d_name[0] != '.';
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

static inline mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

#endif
