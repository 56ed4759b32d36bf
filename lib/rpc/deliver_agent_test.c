/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "rpc/deliver_agent.h"
#include "sys/clock.h"
#include "sys/file.h"

struct fixture {
    char *dir;
    char home[4096];
    struct conf *conf;
    struct queue_dirs *dirs;
    struct arena arena;
    char id[QUEUE_ID_MAX];
    struct queue_message message;
    struct deliver_request request;
    struct queue_recipient recipients[2];
    char log[2000];
};

static void remember(enum log_level level, const char *text, void *context)
{
    struct fixture *f = context;
    size_t len = strlen(f->log);
    (void)level;
    (void)snprintf(f->log + len, sizeof(f->log) - len, "%s\n", text);
}

static void write_message(struct fixture *f)
{
    struct err err;
    int fd = queue_create(f->dirs, QUEUE_ACTIVE, false, f->id, &err);
    struct queue_writer *writer = queue_writer_new(fd, clock_wall());
    queue_writer_sender(writer, VIEW("s@x.test"));
    queue_writer_recipient(writer, &f->recipients[0]);
    queue_writer_content(writer, VIEW("Subject: x\n\nbody\n"));
    assert_int_equal(queue_writer_commit(writer, false, &err), OK);
    queue_writer_free(&writer);
    FD_AUTO int in = queue_open(f->dirs, QUEUE_ACTIVE, f->id, O_RDONLY);
    assert_int_equal(queue_file_read(in, &f->arena, &f->message, &err), OK);
    f->request.content_offset = f->message.content_offset;
    f->request.content_size = f->message.content_size;
    f->request.content_sum = f->message.content_sum;
    f->request.queue_name = VIEW(QUEUE_ACTIVE);
    f->request.queue_id = view_cstr(f->id);
}

static int set_up_with(void **state, const char *settings)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct err err;
    f->dir = test_make_dir();
    assert_non_null(getcwd(f->home, sizeof(f->home)));
    assert_int_equal(chdir(f->dir), 0);
    assert_int_equal(mkdir("active", 0700), 0);
    f->conf = conf_open_text(f->dir, settings, &err);
    f->dirs = queue_dirs_new(f->conf);
    f->recipients[0] = (struct queue_recipient){.address = VIEW("a@x.test")};
    f->recipients[1] =
        (struct queue_recipient){.address = VIEW("b@x.test"), .original = VIEW("B")};
    f->request.recipients = f->recipients;
    f->request.recipient_count = 2;
    write_message(f);
    log_set_stderr(false);
    log_set_hook(remember, f);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, "");
}

static int set_up_soft(void **state)
{
    return set_up_with(state, "soft_bounce = yes\n");
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    log_set_hook(NULL, NULL);
    queue_dirs_free(&f->dirs);
    conf_free(&f->conf);
    arena_clear(&f->arena);
    assert_int_equal(chdir(f->home), 0);
    test_remove_dir(f->dir);
    free(f);
    return 0;
}

static void test_split_dsn(void **state)
{
    (void)state;
    static const struct {
        const char *text, *dsn, *rest;
    } rows[] = {
        {"5.1.6 user has moved", "5.1.6", "user has moved"},
        {"4.4.1  later ", "4.4.1", "later"},
        {"2.0.0 fine", "2.0.0", "fine"},
        {"5.1.6", "5.1.6", ""},
        {"5.123.456 x", "5.123.456", "x"},
        {"5.1.1234 x", "5.0.0", "5.1.1234 x"},
        {"5.1.6.7 x", "5.0.0", "5.1.6.7 x"},
        {"5..6 x", "5.0.0", "5..6 x"},
        {"5.1. x", "5.0.0", "5.1. x"},
        {"3.1.1 x", "5.0.0", "3.1.1 x"},
        {"5.1.6x y", "5.0.0", "5.1.6x y"},
        {"55.1.1 x", "5.0.0", "55.1.1 x"},
        {"", "5.0.0", ""},
        {" 5.1.1 x", "5.0.0", "5.1.1 x"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct view dsn, rest;
        deliver_split_dsn(view_cstr(rows[i].text), "5.0.0", &dsn, &rest);
        assert_view_equal(dsn, rows[i].dsn);
        assert_view_equal(rest, rows[i].rest);
    }
    assert_int_equal(deliver_dsn_length((struct view){0}), 0);
    assert_int_equal(deliver_dsn_length(VIEW("\0.1.1")), 0);
}

static void test_open(void **state)
{
    struct fixture *f = *state;
    struct err err;
    FD_AUTO int fd = deliver_open_message(f->dirs, &f->request, &err);
    assert_true(fd >= 0);
    /* Several agents may be at work, but a queue manager that starts must wait. */
    FD_AUTO int second = deliver_open_message(f->dirs, &f->request, &err);
    assert_true(second >= 0);
    FD_AUTO int manager = queue_open(f->dirs, QUEUE_ACTIVE, f->id, O_RDONLY);
    assert_int_equal(flock(manager, LOCK_EX | LOCK_NB), -1);
    fd_close(&fd);
    fd_close(&second);
    assert_int_equal(flock(manager, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(deliver_open_message(f->dirs, &f->request, &err), -1);
    assert_int_equal(err.outcome, TEMPFAIL);
}

static void test_open_refuses(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct deliver_request request = f->request;
    request.queue_name = VIEW("corrupt");
    assert_int_equal(deliver_open_message(f->dirs, &request, &err), -1);
    request = f->request;
    request.queue_id = VIEW("../active/x");
    assert_int_equal(deliver_open_message(f->dirs, &request, &err), -1);
    request = f->request;
    request.content_offset = -1;
    assert_int_equal(deliver_open_message(f->dirs, &request, &err), -1);
    request = f->request;
    request.queue_id = VIEW("ABCDEF123");
    assert_int_equal(deliver_open_message(f->dirs, &request, &err), -1);
    assert_int_equal(err.outcome, TEMPFAIL);
}

static void test_damaged(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct deliver_reply reply;
    FD_AUTO int fd = queue_open(f->dirs, QUEUE_ACTIVE, f->id, O_RDWR);
    assert_true(file_pwrite_all(fd, "B", 1, f->request.content_offset + 12));
    assert_int_equal(deliver_open_message(f->dirs, &f->request, &err), -1);
    assert_int_equal(err.outcome, PERMFAIL);
    deliver_refuse(f->conf, &f->request, "test", &err, &f->arena, &reply);
    assert_true(reply.damaged);
    assert_int_equal(reply.count, 2);
    assert_int_equal(reply.outcomes[1].status, DELIVER_DEFERRED);
    assert_view_equal(reply.outcomes[1].dsn, "4.3.0");
    assert_non_null(strstr(f->log, "to=<b@x.test>, orig_to=<B>, relay=test"));
    assert_non_null(strstr(f->log, "dsn=4.3.0, status=deferred (damaged queue file"));
}

static struct deliver_outcome report(struct fixture *f, enum deliver_status status,
                                     const char *dsn, const char *reason)
{
    struct delivery_times times = {.arrival = 1, .done = 1};
    struct deliver_outcome outcome = {
        .status = status, .dsn = view_cstr(dsn), .reason = view_cstr(reason)};
    f->log[0] = '\0';
    deliver_report(f->conf, &f->request, 0, "none", &times, &f->arena, &outcome);
    return outcome;
}

static void test_report(void **state)
{
    struct fixture *f = *state;
    struct deliver_outcome outcome = report(f, DELIVER_SENT, "2.0.0", "ok");
    assert_non_null(strstr(f->log, ": to=<a@x.test>, relay=none, delay=0, "
                                   "delays=0/0/0/0, dsn=2.0.0, status=sent (ok)\n"));
    assert_view_equal(outcome.reason, "ok");
    assert_view_equal(outcome.relay, "none");
    outcome = report(f, DELIVER_BOUNCED, "5.1.1", "");
    assert_non_null(strstr(f->log, "dsn=5.1.1, status=bounced (?)"));
    outcome = report(f, DELIVER_DEFERRED, "5.3.0", "later\nforged: line");
    assert_non_null(strstr(f->log, "dsn=4.3.0, status=deferred (later?forged: line)"));
    assert_view_equal(outcome.dsn, "4.3.0");
    f->request.file_flags = QUEUE_FILE_VERIFY_ONLY;
    outcome = report(f, DELIVER_SENT, "2.0.0", "ok");
    assert_non_null(strstr(f->log, "status=deliverable (ok)"));
    outcome = report(f, DELIVER_BOUNCED, "5.1.1", "no");
    assert_non_null(strstr(f->log, "status=undeliverable (no)"));
    outcome = report(f, DELIVER_DEFERRED, "4.1.1", "no");
    assert_non_null(strstr(f->log, "status=undeliverable (no)"));
}

static void test_soft_bounce(void **state)
{
    struct fixture *f = *state;
    struct deliver_outcome outcome = report(f, DELIVER_BOUNCED, "5.1.2", "nowhere");
    assert_non_null(strstr(f->log, "dsn=4.1.2, status=SOFTBOUNCE (nowhere)"));
    assert_int_equal(outcome.status, DELIVER_DEFERRED);
    assert_view_equal(outcome.dsn, "4.1.2");
    f->request.file_flags = QUEUE_FILE_VERIFY_ONLY; /* a probe wants the truth */
    outcome = report(f, DELIVER_BOUNCED, "5.1.2", "nowhere");
    assert_non_null(strstr(f->log, "dsn=5.1.2, status=undeliverable (nowhere)"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_dsn),
        TEST(test_open),
        TEST(test_open_refuses),
        TEST(test_damaged),
        TEST(test_report),
        cmocka_unit_test_setup_teardown(test_soft_bounce, set_up_soft, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
