/* SPDX-License-Identifier: MIT */
/* Virtual mailboxes: which one, whose, in which form, and what is refused. */
#include "testing/test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "mailbox/mailbox_testing.h"
#include "virtual/agent.h"

enum { RECIPIENTS = 3, NOBODY = 65534 };

struct world {
    char *dir, *home;
    struct service_context context;
    struct conf *conf;
    struct virtual *agent;
    struct queue_dirs *dirs;
    struct arena arena;
    struct deliver_request request;
    struct deliver_reply reply;
    struct queue_recipient recipients[RECIPIENTS];
    char id[QUEUE_ID_MAX];
    struct str log;
};

static void remember(enum log_level level, const char *text, void *context)
{
    struct world *world = context;
    mail_remember(&world->log, level, text);
}

/* "UID" in SETTINGS is ours: nobody else's mailbox can be written. */
static struct conf *open_conf(const char *dir, const char *settings)
{
    struct err err;
    STR_AUTO struct str text = {0};
    char *uid = xasprintf("%lu", (unsigned long)geteuid());
    str_printf(&text,
               "compatibility_level = 3.6\nmyhostname = mail.test\n"
               "virtual_mailbox_base = %s/box\nvirtual_uid_maps = static:%s\n"
               "virtual_gid_maps = static:%lu\ndeliver_lock_delay = 1s\n"
               "deliver_lock_attempts = 1\n",
               dir, uid, (unsigned long)getegid());
    for (const char *at = settings, *next; *at != '\0'; at = next) {
        next = strstr(at, "UID");
        next = next != NULL ? next : at + strlen(at);
        str_add(&text, view_of(at, (size_t)(next - at)));
        if (*next != '\0') {
            str_add_cstr(&text, uid);
            next += strlen("UID");
        }
    }
    free(uid);
    struct conf *conf = conf_open_text(dir, str_ptr(&text), &err);
    assert_non_null(conf);
    return conf;
}

#define MAILBOXES                                                                      \
    "virtual_mailbox_maps = inline:{ {ann@v.test=ann/}, {bob@v.test=bob}, "            \
    "{cat@v.test=deep/er/cat/}, {dan@v.test=none/dan} }\n"

static struct world *world_new(const char *settings)
{
    static const char *const dirs[] = {"active", "box"};
    struct world *world = xcalloc(1, sizeof(*world));
    char here[4096];
    assert_non_null(getcwd(here, sizeof(here)));
    world->home = xstrdup(here);
    world->dir = test_make_dir();
    assert_int_equal(chdir(world->dir), 0);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        assert_int_equal(mkdir(dirs[i], 0700), 0);
    }
    world->conf = open_conf(world->dir, settings);
    world->context.conf = world->conf;
    world->context.name = "virtual";
    world->dirs = queue_dirs_new(world->conf);
    world->request = (struct deliver_request){.queue_name = VIEW(QUEUE_ACTIVE),
                                              .nexthop = VIEW("v.test"),
                                              .sender = VIEW("s@x.test"),
                                              .recipients = world->recipients};
    log_set_stderr(false);
    log_set_hook(remember, world);
    world->agent = virtual_agent_open(&world->context);
    virtual_agent_ready(world->agent);
    return world;
}

static void world_free(struct world *world)
{
    log_set_hook(NULL, NULL);
    virtual_agent_close(&world->agent);
    queue_dirs_free(&world->dirs);
    conf_free(&world->conf);
    arena_clear(&world->arena);
    str_done(&world->log);
    assert_int_equal(chdir(world->home), 0);
    free(world->home);
    test_remove_dir(world->dir);
    free(world);
}

static void write_to(struct world *world, const char *const *addresses, size_t count,
                     const char *content)
{
    for (size_t i = 0; i < count; i++) {
        world->recipients[i] = (struct queue_recipient){
            .address = view_cstr(addresses[i]), .original = view_cstr(addresses[i])};
    }
    world->request.recipient_count = count;
    mail_write(world->dirs, &world->arena, &world->request, world->recipients,
               world->id, view_cstr(content));
}

/* What the log says. */
static const char *deliver_to(struct world *world, const char *const *addresses,
                              size_t count, const char *content)
{
    write_to(world, addresses, count, content);
    str_clear(&world->log);
    batch_deliver(&world->agent->batch, &world->request, &world->arena, &world->reply);
    assert_int_equal(world->reply.count, count);
    return str_ptr(&world->log);
}

static const char *deliver(struct world *world, const char *address)
{
    return deliver_to(world, &address, 1, "Subject: test\n\nFrom line\nbody\n");
}

static bool is_marked(const struct world *world, size_t index)
{
    return mail_is_marked(world->dirs, world->id, &world->recipients[index]);
}

static void put_file(const char *path, const char *text)
{
    FD_AUTO int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file_write_all(fd, text, strlen(text)));
}

/* --- where mail goes ------------------------------------------------------------- */

#define SENT_MAILDIR " 2.0.0, status=sent (delivered to maildir)\n"
#define SENT_MAILBOX " 2.0.0, status=sent (delivered to mailbox)\n"
#define MISCONFIGURED " 4.3.5, status=deferred (mail system configuration error)\n"

static void test_mbox(void **state)
{
    (void)state;
    struct world *world = world_new(MAILBOXES "prepend_delivered_header =\n");
    assert_string_equal(deliver(world, "bob@v.test"), "bob@v.test" SENT_MAILBOX);
    assert_string_equal(
        without_dates(&world->arena, mail_file(&world->arena, "box/bob")),
        "From s@x.test  DATE\nReturn-Path: <s@x.test>\nX-Original-To: bob@v.test\n"
        "Delivered-To: bob@v.test\nSubject: test\n\n>From line\nbody\n\n");
    assert_int_equal(mode_of("box/bob"), 0600);
    assert_int_equal(access("box/bob.lock", F_OK), -1);
    assert_true(is_marked(world, 0));
    assert_true(view_equal_cstr(world->reply.outcomes[0].action, "delivered"));
    world_free(world);
}

static void test_maildir(void **state)
{
    (void)state;
    struct world *world = world_new(MAILBOXES);
    assert_string_equal(deliver(world, "ann@v.test"), "ann@v.test" SENT_MAILDIR);
    assert_int_equal(files_in("box/ann/new"), 1);
    assert_int_equal(files_in("box/ann/tmp") + files_in("box/ann/cur"), 0);
    assert_true(is_marked(world, 0));
    assert_string_equal(deliver(world, "cat@v.test"), "cat@v.test" SENT_MAILDIR);
    assert_int_equal(files_in("box/deep/er/cat/new"), 1);
    assert_int_equal(mode_of("box/deep"), 0700);
    world_free(world);
}

/* Several recipients of one message: each has an outcome of his own. */
static void test_recipients(void **state)
{
    (void)state;
    static const char *const all[] = {"ann@v.test", "nobody@v.test", "bob@v.test"};
    struct world *world = world_new(MAILBOXES);
    const char *log = deliver_to(world, all, ARRAY_SIZE(all), "x\n");
    assert_non_null(strstr(log, "ann@v.test" SENT_MAILDIR));
    assert_non_null(strstr(log, "bob@v.test" SENT_MAILBOX));
    assert_non_null(strstr(log, "nobody@v.test 5.1.1, status=bounced (unknown user: "
                                "\"nobody@v.test\")\n"));
    assert_int_equal(world->reply.outcomes[0].status, DELIVER_SENT);
    assert_int_equal(world->reply.outcomes[1].status, DELIVER_BOUNCED);
    assert_int_equal(world->reply.outcomes[2].status, DELIVER_SENT);
    assert_true(is_marked(world, 0) && !is_marked(world, 1) && is_marked(world, 2));
    world_free(world);
}

/* Two users may share a mailbox; each gets his copy. */
static void test_shared_mailbox(void **state)
{
    (void)state;
    static const char *const all[] = {"a@v.test", "b@v.test"};
    struct world *world = world_new("virtual_mailbox_maps = static:all/\n");
    assert_string_equal(deliver_to(world, all, 2, "x\n"),
                        "a@v.test" SENT_MAILDIR "b@v.test" SENT_MAILDIR);
    assert_int_equal(files_in("box/all/new"), 2);
    world_free(world);
}

struct row {
    const char *settings, *address, *log;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct world *world = world_new(rows[i].settings);
        assert_string_equal(deliver(world, rows[i].address), rows[i].log);
        assert_int_equal(is_marked(world, 0),
                         strstr(rows[i].log, "status=sent") != NULL);
        world_free(world);
    }
}

#define EXTENSION "recipient_delimiter = +\n"

static void test_search_order(void **state)
{
    (void)state;
    static const char maps[] =
        EXTENSION "virtual_mailbox_maps = inline:{ {a+e@v.test=ae}, {a@v.test=a}, "
                  "{@v.test=all}, {c=c} }\n";
    static const struct {
        const char *address, *file;
    } rows[] = {{"a+e@v.test", "box/ae"},
                {"A+F@V.Test", "box/a"},
                {"z@v.test", "box/all"},
                {"c@v.test", "box/all"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_new(maps);
        assert_non_null(strstr(deliver(world, rows[i].address), SENT_MAILBOX));
        assert_int_equal(access(rows[i].file, F_OK), 0);
        assert_int_equal(files_in("box"), 1);
        world_free(world);
    }
}

static void test_unknown(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {MAILBOXES, "X y@V.test",
         "\"X y\"@V.test 5.1.1, status=bounced (unknown user: \"x y@v.test\")\n"},
        {"", "a@v.test",
         "a@v.test 5.1.1, status=bounced (unknown user: \"a@v.test\")\n"},
        {"soft_bounce = yes\n", "a@v.test",
         "a@v.test 4.1.1, status=SOFTBOUNCE (unknown user: \"a@v.test\")\n"},
        {MAILBOXES "recipient_delimiter =\n", "ann+x@v.test",
         "ann+x@v.test 5.1.1, status=bounced (unknown user: \"ann+x@v.test\")\n"}};
    check_rows(rows, ARRAY_SIZE(rows));
}

static void test_owners(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {MAILBOXES "virtual_uid_maps = inline:{ {ann@v.test=UID} }\n", "ann@v.test",
         "ann@v.test" SENT_MAILDIR},
        {MAILBOXES EXTENSION "virtual_uid_maps = inline:{ {@v.test=UID} }\n",
         "bob+x@v.test", "bob+x@v.test" SENT_MAILBOX},
        {MAILBOXES "virtual_uid_maps =\n", "ann@v.test",
         "warning: recipient ann@v.test: not found in virtual_uid_maps\n"
         "ann@v.test" MISCONFIGURED},
        {MAILBOXES "virtual_gid_maps = inline:{ {bob@v.test=100} }\n", "ann@v.test",
         "warning: recipient ann@v.test: not found in virtual_gid_maps\n"
         "ann@v.test" MISCONFIGURED},
        {MAILBOXES "virtual_uid_maps = static:99\n", "ann@v.test",
         "warning: recipient ann@v.test: bad uid 99 in virtual_uid_maps\n"
         "ann@v.test" MISCONFIGURED},
        {MAILBOXES "virtual_uid_maps = static:0\nvirtual_minimum_uid = 1\n",
         "ann@v.test",
         "warning: recipient ann@v.test: bad uid 0 in virtual_uid_maps\n"
         "ann@v.test" MISCONFIGURED},
        {MAILBOXES "virtual_uid_maps = static:nobody\n", "ann@v.test",
         "warning: recipient ann@v.test: bad uid nobody in virtual_uid_maps\n"
         "ann@v.test" MISCONFIGURED},
        {MAILBOXES "virtual_uid_maps = static:4294967295\n", "ann@v.test",
         "warning: recipient ann@v.test: bad uid 4294967295 in virtual_uid_maps\n"
         "ann@v.test" MISCONFIGURED},
        {MAILBOXES "virtual_gid_maps = static:0\n", "ann@v.test",
         "warning: recipient ann@v.test: bad gid 0 in virtual_gid_maps\n"
         "ann@v.test" MISCONFIGURED}};
    check_rows(rows, ARRAY_SIZE(rows));
}

/* Somebody else's mailbox needs root. */
static void test_foreign_owner(void **state)
{
    (void)state;
    struct world *world = world_new(MAILBOXES "virtual_uid_maps = static:54321\n");
    assert_non_null(strstr(deliver(world, "ann@v.test"), "4.3.5, status=deferred "
                                                         "(cannot act as uid 54321"));
    assert_non_null(strstr(deliver(world, "bob@v.test"),
                           "4.3.5, status=deferred (delivery failed to mailbox "));
    assert_int_equal(files_in("box"), 0);
    world_free(world);
}

/* A table that cannot answer is no reason to return mail. */
static void test_lookup_errors(void **state)
{
    (void)state;
    static const char *const settings[] = {"virtual_mailbox_maps = fail:x\n",
                                           MAILBOXES "virtual_uid_maps = fail:x\n",
                                           MAILBOXES "virtual_gid_maps = fail:x\n",
                                           "virtual_mailbox_maps = nosuchtype:x\n"};
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        struct world *world = world_new(settings[i]);
        assert_non_null(
            strstr(deliver(world, "ann@v.test"), "ann@v.test" MISCONFIGURED));
        world_free(world);
    }
}

/* The address has no say in whose mailbox it is. */
static void test_no_substitution(void **state)
{
    (void)state;
    struct world *world =
        world_new("virtual_mailbox_maps = regexp:{ {/^(.*)@/ $$1/} {/x/ fix} }\n");
    assert_non_null(strstr(str_ptr(&world->log), "substitution is not allowed"));
    assert_string_equal(deliver(world, "x@v.test"), "x@v.test" SENT_MAILBOX);
    assert_int_equal(access("box/fix", F_OK), 0);
    world_free(world);
}

static void test_proxy_is_not_asked(void **state)
{
    (void)state;
    struct world *world = world_new("virtual_mailbox_maps = proxy:static:x/\n"
                                    "virtual_uid_maps = proxy:static:UID\n");
    assert_string_equal(deliver(world, "x@v.test"), "x@v.test" SENT_MAILDIR);
    world_free(world);
}

/* --- what is not written --------------------------------------------------------- */

static void check_mbox_failure(struct world *world, const char *outcome,
                               const char *reason)
{
    char *expected = xasprintf("bob@v.test %s (delivery failed to mailbox "
                               "%s/box/bob: %s)\n",
                               outcome, world->dir, reason);
    assert_string_equal(deliver(world, "bob@v.test"), expected);
    assert_false(is_marked(world, 0));
    free(expected);
}

static void test_mbox_refused(void **state)
{
    (void)state;
    struct world *world = world_new(MAILBOXES);
    assert_int_equal(mkdir("box/bob", 0700), 0);
    check_mbox_failure(world, "4.2.0, status=deferred",
                       "cannot open file: Is a directory");
    assert_int_equal(rmdir("box/bob"), 0);

    put_file("box/bob", "");
    assert_int_equal(link("box/bob", "box/other"), 0);
    check_mbox_failure(world, "4.2.0, status=deferred", "file has 2 hard links");
    assert_int_equal(unlink("box/bob"), 0);

    assert_int_equal(symlink("other", "box/bob"), 0);
    check_mbox_failure(world, "4.2.0, status=deferred", "file is a symbolic link");
    assert_int_equal(unlink("box/bob") | symlink("nowhere", "box/bob"), 0);
    check_mbox_failure(world, "4.2.0, status=deferred",
                       "cannot open file: No such file or directory");
    assert_string_equal(mail_file(&world->arena, "box/other"), "");
    world_free(world);
}

static void test_mbox_without_directory(void **state)
{
    (void)state;
    struct world *world = world_new(MAILBOXES);
    char *expected =
        xasprintf("dan@v.test 4.2.0, status=deferred (delivery failed to mailbox "
                  "%s/box/none/dan: unable to create lock file %s/box/none/dan.lock: "
                  "No such file or directory)\n",
                  world->dir, world->dir);
    assert_string_equal(deliver(world, "dan@v.test"), expected);
    free(expected);
    world_free(world);
}

static void test_mbox_not_a_file(void **state)
{
    (void)state;
    struct world *world =
        world_new("virtual_mailbox_base = /dev\nvirtual_mailbox_maps = static:null\n"
                  "virtual_mailbox_lock = flock\nstrict_mailbox_ownership = no\n");
    assert_string_equal(
        deliver(world, "bob@v.test"),
        "warning: recipient bob@v.test: destination /dev/null is not a regular file\n"
        "bob@v.test 5.3.5, status=bounced (delivery failed to mailbox /dev/null: mail "
        "system configuration error)\n");
    world_free(world);
}

/* A full mailbox is the one thing that waiting does not mend. */
static void test_size_limit(void **state)
{
    (void)state;
    enum { BEFORE = 300 };
    char before[BEFORE + 1] = "";
    struct world *world =
        world_new(MAILBOXES "virtual_mailbox_limit = 400\nmessage_size_limit = 400\n");
    memset(before, 'x', BEFORE);
    put_file("box/bob", before);
    check_mbox_failure(world, "5.2.2, status=bounced",
                       "error writing message: File too large");
    assert_string_equal(mail_file(&world->arena, "box/bob"), before);
    /* For a Maildir it is the size of one file. */
    assert_string_equal(deliver(world, "ann@v.test"), "ann@v.test" SENT_MAILDIR);
    assert_string_equal(deliver(world, "ann@v.test"), "ann@v.test" SENT_MAILDIR);
    const char *ann = "ann@v.test";
    char large[2 * BEFORE] = "";
    memset(large, 'y', sizeof(large) - 1);
    assert_string_equal(deliver_to(world, &ann, 1, large),
                        "ann@v.test 5.2.2, status=bounced (maildir delivery failed: "
                        "error writing message: File too large)\n");
    assert_int_equal(files_in("box/ann/new"), 2);
    assert_int_equal(files_in("box/ann/tmp"), 0);
    world_free(world);
}

static void test_no_size_limit(void **state)
{
    (void)state;
    static const struct row row = {
        MAILBOXES "virtual_mailbox_limit = 0\nmessage_size_limit = 0\n", "bob@v.test",
        "bob@v.test" SENT_MAILBOX};
    check_rows(&row, 1);
}

static void test_maildir_refused(void **state)
{
    (void)state;
    struct world *world = world_new(MAILBOXES);
    put_file("box/ann", "");
    assert_non_null(strstr(deliver(world, "ann@v.test"),
                           "ann@v.test 4.2.0, status=deferred (maildir delivery "
                           "failed: create maildir file "));
    assert_non_null(strstr(str_ptr(&world->log), ": Not a directory)\n"));
    assert_int_equal(unlink("box/ann"), 0);
    if (geteuid() != 0) {
        assert_int_equal(chmod("box", 0500), 0);
        const char *log = deliver(world, "ann@v.test");
        assert_non_null(strstr(log, "maildir access problem for UID/GID="));
        assert_non_null(strstr(log, "perhaps you need to create the maildirs in "
                                    "advance\nann@v.test 4.2.0, status=deferred ("));
        assert_int_equal(chmod("box", 0700), 0);
    }
    world_free(world);
}

/* --- locks ----------------------------------------------------------------------- */

static void test_locks(void **state)
{
    (void)state;
    struct world *world =
        world_new(MAILBOXES "virtual_mailbox_lock = flock, dotlock\n");
    put_file("box/bob.lock", "");
    char *reason = xasprintf("unable to create lock file %s/box/bob.lock: File exists",
                             world->dir);
    check_mbox_failure(world, "4.2.0, status=deferred", reason);
    free(reason);
    assert_int_equal(unlink("box/bob.lock"), 0);
    put_file("box/bob", "");
    int fd = open("box/bob", O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    check_mbox_failure(
        world, "4.2.0, status=deferred",
        "unable to lock for exclusive access: Resource temporarily unavailable");
    (void)close(fd);
    assert_string_equal(deliver(world, "bob@v.test"), "bob@v.test" SENT_MAILBOX);
    world_free(world);
}

/* --- requests -------------------------------------------------------------------- */

static void test_probe(void **state)
{
    (void)state;
    static const struct {
        const char *address, *log;
    } rows[] = {
        {"ann@v.test", "ann@v.test 2.0.0, status=deliverable (delivers to maildir)\n"},
        {"bob@v.test", "bob@v.test 2.0.0, status=deliverable (delivers to mailbox)\n"},
        {"x@v.test", "x@v.test 5.1.1, status=undeliverable (unknown user: "
                     "\"x@v.test\")\n"}};
    struct world *world = world_new(MAILBOXES);
    world->request.file_flags = QUEUE_FILE_VERIFY_ONLY;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(deliver(world, rows[i].address), rows[i].log);
        assert_false(is_marked(world, 0));
    }
    assert_int_equal(files_in("box"), 0);
    world_free(world);
}

/* A message that has been here before is delivered: there are no aliases that could
 * make a loop. */
static void test_delivered_before(void **state)
{
    (void)state;
    const char *ann = "ann@v.test";
    struct world *world = world_new(MAILBOXES);
    assert_string_equal(deliver_to(world, &ann, 1, "Delivered-To: ann@v.test\n\nx\n"),
                        "ann@v.test" SENT_MAILDIR);
    world_free(world);
}

static void test_damaged(void **state)
{
    (void)state;
    const char *ann = "ann@v.test";
    struct world *world = world_new(MAILBOXES);
    write_to(world, &ann, 1, "Subject: x\n\nbody\n");
    world->request.content_sum++;
    batch_deliver(&world->agent->batch, &world->request, &world->arena, &world->reply);
    assert_true(world->reply.damaged);
    assert_non_null(strstr(str_ptr(&world->log), "status=deferred (damaged"));
    assert_int_equal(files_in("box"), 0);
    world_free(world);
}

static void test_removes_what_is_done(void **state)
{
    (void)state;
    struct world *world = world_new(MAILBOXES);
    world->request.may_remove = true;
    assert_string_equal(deliver(world, "ann@v.test"), "ann@v.test" SENT_MAILDIR);
    assert_true(world->reply.removed);
    assert_int_equal(files_in("active"), 0);
    (void)deliver(world, "nobody@v.test");
    assert_false(world->reply.removed);
    world_free(world);
}

/* Two requests that came together, each with its reply. */
static void test_together(void **state)
{
    (void)state;
    static const char *const all[] = {"ann@v.test", "bob@v.test"};
    int fds[2];
    struct world *world = world_new(MAILBOXES);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct stream *qmgr = stream_new(fds[0]);
    struct stream *agent = stream_new(fds[1]);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        write_to(world, &all[i], 1, "x\n");
        assert_true(deliver_put_request(qmgr, &world->request));
    }
    assert_true(stream_flush(qmgr));
    assert_true(batch_serve(&world->agent->batch, agent));
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        assert_true(deliver_receive_reply(qmgr, &world->arena, &world->reply));
        assert_int_equal(world->reply.outcomes[0].status, DELIVER_SENT);
        assert_true(world->reply.batch > 1);
    }
    assert_int_equal(files_in("box/ann/new"), 1);
    assert_int_equal(access("box/bob", F_OK), 0);
    stream_free(&qmgr);
    assert_false(batch_serve(&world->agent->batch, agent)); /* it has left */
    stream_free(&agent);
    world_free(world);
}

/* --- settings that cannot be ----------------------------------------------------- */

static void check_fatal(const char *settings)
{
    struct err err;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct service_context context = {0};
        context.conf = conf_open_text("/nowhere", settings, &err);
        (void)close(STDERR_FILENO);
        log_set_fatal_delay(0);
        (void)virtual_agent_open(&context);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

static void test_fatal_settings(void **state)
{
    (void)state;
    check_fatal("myhostname = a.b\n");
    check_fatal("virtual_mailbox_base = /x\nvirtual_mailbox_limit = 1000\n");
    check_fatal("virtual_mailbox_base = /x\nvirtual_mailbox_lock = fnctl\n");
}

/* Root's user number is below every virtual_minimum_uid. */
static void be_somebody(void)
{
    if (geteuid() == 0) {
        assert_int_equal(setgid(NOBODY), 0);
        assert_int_equal(setuid(NOBODY), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mbox),
        cmocka_unit_test(test_maildir),
        cmocka_unit_test(test_recipients),
        cmocka_unit_test(test_shared_mailbox),
        cmocka_unit_test(test_search_order),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_foreign_owner),
        cmocka_unit_test(test_lookup_errors),
        cmocka_unit_test(test_no_substitution),
        cmocka_unit_test(test_proxy_is_not_asked),
        cmocka_unit_test(test_mbox_refused),
        cmocka_unit_test(test_mbox_without_directory),
        cmocka_unit_test(test_mbox_not_a_file),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_no_size_limit),
        cmocka_unit_test(test_maildir_refused),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_delivered_before),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_removes_what_is_done),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_fatal_settings),
    };
    be_somebody();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
