/* SPDX-License-Identifier: MIT */
/*
 * Whole sessions: the real server on one end of a socket pair, a script on the other,
 * and a cleanup service that takes notes.
 */
#include "smtpd/session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "net/connect.h"
#include "rpc/submit_server.h"
#include "task/task.h"
#include "testing/test.h"

enum cleanup_mode {
    CLEANUP_GOOD,
    CLEANUP_DIES_AT_OPEN,
    CLEANUP_DIES_AT_END,
    CLEANUP_FULL
};

struct world {
    enum cleanup_mode mode;
    const char *settings;
    const char *script;
    int listener, server_fd, client_fd;
    struct fiber *cleanup;
    struct str notes;   /* what cleanup got of messages that were finished */
    struct str trouble; /* the first reply that was not as expected */
    int messages;
    bool held;
};

/* --- cleanup -----------------------------------------------------------------------
 */

static void take_note(struct world *world, struct str *notes,
                      const struct submit_record *record)
{
    switch ((int)record->kind) {
    case SUBMIT_FRAME_SENDER:
        str_printf(notes, "from=<%.*s>\n", VIEW_ARG(record->text));
        break;
    case SUBMIT_FRAME_RECIPIENT:
        str_printf(notes, "to=<%.*s> orig=<%.*s> orcpt=<%.*s> notify=%d\n",
                   VIEW_ARG(record->recipient.address),
                   VIEW_ARG(record->recipient.original),
                   VIEW_ARG(record->recipient.dsn_orcpt), record->recipient.dsn_notify);
        break;
    case SUBMIT_FRAME_CONTENT:
        str_add(notes, record->text);
        break;
    case SUBMIT_FRAME_HOLD:
        world->held = true;
        break;
    default:
        break;
    }
}

static bool is_over(const struct submit_record *record)
{
    return record->kind == SUBMIT_FRAME_FINISH || record->kind == SUBMIT_FRAME_ABORT;
}

/* *OPENED: the message was opened ahead, with the answer to the one before. */
static bool serve_message(struct world *world, struct stream *client, bool *opened)
{
    STR_AUTO struct str notes = {0};
    struct submit_record record;
    if (world->mode == CLEANUP_DIES_AT_OPEN ||
        (!*opened && !submit_send_opened(client, true, VIEW("4DEADBEEF")))) {
        return false;
    }
    *opened = false;
    do {
        if (!submit_receive(client, &record)) {
            return false;
        }
        take_note(world, &notes, &record);
    } while (!is_over(&record));
    if (record.kind == SUBMIT_FRAME_ABORT) {
        return true;
    }
    if (world->mode == CLEANUP_DIES_AT_END) {
        return false;
    }
    struct submit_result result = {.status = SUBMIT_OK};
    if (world->mode == CLEANUP_FULL) {
        result.status = SUBMIT_TOO_BIG;
        return submit_send_result(client, &result);
    }
    world->messages++;
    str_add(&world->notes, str_view(&notes));
    *opened = true;
    return submit_send_result_and_opened(client, &result, true, VIEW("4DEADBEEF"));
}

struct cleanup_client {
    struct world *world;
    int fd;
};

static void serve_client(void *context)
{
    struct cleanup_client *self = context;
    struct stream *client = stream_new(self->fd);
    struct submit_record record;
    bool opened = false;
    while (submit_receive(client, &record) &&
           serve_message(self->world, client, &opened)) {
        continue;
    }
    stream_free(&client);
    free(self);
}

static void run_cleanup(void *context)
{
    struct world *world = context;
    while (task_wait(world->listener, TASK_READ, CLOCK_NEVER) == TASK_READY) {
        struct cleanup_client *client = calloc(1, sizeof(*client));
        client->world = world;
        client->fd = net_accept(world->listener);
        (void)task_spawn("cleanup client", serve_client, client);
    }
}

/* --- client ------------------------------------------------------------------------
 */

/* "@@" in a script line stands for a line end, and nothing is added. */
static void send_line(struct stream *stream, struct view line)
{
    size_t at = 0;
    bool raw = false;
    for (; at + 1 < line.len; at++) {
        if (line.ptr[at] == '@' && line.ptr[at + 1] == '@') {
            stream_write(stream, view_first(line, at));
            stream_write(stream, VIEW("\r\n"));
            line = view_from(line, at + 2);
            at = (size_t)-1;
            raw = true;
        }
    }
    stream_write(stream, line);
    if (!raw) {
        stream_write(stream, VIEW("\r\n"));
    }
    (void)stream_flush(stream);
}

static bool expect(struct world *world, struct stream *stream, struct view expected)
{
    struct view got;
    bool closed = view_equal_cstr(expected, "(closed)");
    if (!stream_read_line(stream, 4096, &got, NULL)) {
        got = VIEW("(closed)");
    }
    bool any_rest = expected.len > 3 && view_ends_nocase(expected, VIEW("..."));
    bool same = closed || !any_rest
                    ? view_equal(got, expected)
                    : view_starts(got, view_first(expected, expected.len - 3));
    if (!same) {
        str_printf(&world->trouble, "expected <%.*s>, got <%.*s>", VIEW_ARG(expected),
                   VIEW_ARG(got));
    }
    return same;
}

static void run_client(void *context)
{
    struct world *world = context;
    struct stream *stream = stream_new(world->client_fd);
    struct view rest = view_cstr(world->script);
    struct view line;
    stream_set_timeout(stream, 10 * (int64_t)CLOCK_SECOND);
    while (view_next_word(&rest, "\n", &line)) {
        struct view text = view_from(line, 2);
        if (line.ptr[0] == '>') {
            send_line(stream, text);
        } else if (!expect(world, stream, text)) {
            break;
        }
    }
    stream_free(&stream);
}

/* --- server ------------------------------------------------------------------------
 */

static void run_server(void *context)
{
    struct world *world = context;
    struct err err = {0};
    struct conf *conf = conf_open_text("/nonexistent", world->settings, &err);
    struct server *server = server_open(conf, false);
    struct stream *stream = stream_new(world->server_fd);
    session_run(server, stream);
    stream_free(&stream);
    server_close(&server);
    conf_free(&conf);
    task_cancel(world->cleanup);
}

static const char BASE[] =
    "compatibility_level = 3.6\nmyhostname = mail.example.com\nmynetworks = "
    "127.0.0.0/8\n"
    "inet_interfaces = 127.0.0.1\nalias_maps =\nlocal_recipient_maps = inline:{ann=x, "
    "bob=x, cat=x}\nsmtpd_error_sleep_time = 0\nmessage_size_limit = 100000\n"
    "smtpd_peername_lookup = no\n";

static void play(struct world *world, const char *settings, const char *script)
{
    struct err err = {0};
    int pair[2];
    STR_AUTO struct str all = {0};
    str_printf(&all, "%s%s", BASE, settings);
    world->settings = str_ptr(&all);
    world->script = script;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    world->server_fd = pair[0];
    world->client_fd = pair[1];
    world->listener = listen_unix("public/cleanup", 5, &err);
    assert_true(world->listener >= 0);
    task_init();
    world->cleanup = task_spawn("cleanup", run_cleanup, world);
    (void)task_spawn("server", run_server, world);
    (void)task_spawn("client", run_client, world);
    task_run(true);
    task_done();
    (void)close(world->listener);
    if (world->trouble.len > 0) {
        fail_msg("%s", str_ptr(&world->trouble));
    }
}

static void done(struct world *world)
{
    str_done(&world->notes);
    str_done(&world->trouble);
}

/* --- the scripts -------------------------------------------------------------------
 */

#define HELLO "< 220 mail.example.com ESMTP Postfix\n> HELO x\n< 250 mail.example.com\n"
#define BEGIN HELLO "> MAIL FROM:<s@example.org>\n< 250 2.1.0 Ok\n"
#define QUIT "> QUIT\n< 221 2.0.0 Bye\n< (closed)\n"
#define GO "> DATA\n< 354 End data with <CR><LF>.<CR><LF>\n"
#define QUEUED "< 250 2.0.0 Ok: queued as 4DEADBEEF\n"

static void test_message(void **state)
{
    struct world world = {0};
    (void)state;
    play(&world, "",
         BEGIN "> RCPT TO:<ann> NOTIFY=NEVER\n< 250 2.1.5 Ok\n"
               "> RCPT TO:<\"b b\"@far.example> ORCPT=rfc822;a+2Bb\n< 250 2.1.5 Ok\n" GO
               "> Subject: x@@@@..dot@@.\n"
               "> @@\n" QUEUED QUIT);
    assert_int_equal(world.messages, 1);
    assert_non_null(strstr(str_ptr(&world.notes), "from=<s@example.org>\n"));
    assert_non_null(strstr(str_ptr(&world.notes),
                           "to=<ann> orig=<> orcpt=<rfc822;ann> notify=1\n"));
    assert_non_null(
        strstr(str_ptr(&world.notes),
               "to=<b b@far.example> orig=<> orcpt=<rfc822;a+b> notify=0\n"));
    assert_non_null(strstr(str_ptr(&world.notes), "Received: from x (localhost"));
    assert_non_null(strstr(str_ptr(&world.notes), "with SMTP id 4DEADBEEF;\n\t"));
    assert_non_null(strstr(str_ptr(&world.notes), "\nSubject: x\n\n.dot\n"));
    done(&world);
}

static void test_pipelined(void **state)
{
    struct world world = {0};
    (void)state;
    play(&world, "",
         HELLO
         "> RSET@@MAIL FROM:<>@@RCPT TO:<ann>@@RCPT TO:<nobody>@@DATA@@\n"
         "< 250 2.0.0 Ok\n< 250 2.1.0 Ok\n< 250 2.1.5 Ok\n"
         "< 550 5.1.1 <nobody>: Recipient address rejected: User unknown in local "
         "recipient table\n"
         "< 354 End data with <CR><LF>.<CR><LF>\n> x@@.@@QUIT@@\n" QUEUED
         "< 221 2.0.0 Bye\n< (closed)\n");
    assert_int_equal(world.messages, 1);
    done(&world);
}

static void test_bdat(void **state)
{
    struct world world = {0};
    (void)state;
    play(&world, "",
         BEGIN
         "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n> BDAT 6@@a: b@@\n< 250 2.0.0 Ok: 6 "
         "bytes\n> BDAT 5 LAST@@@@.@@\n< 250 2.0.0 Ok: 11 bytes queued as "
         "4DEADBEEF\n> BDAT 2@@xx> NOOP@@\n< 503 5.5.1 Error: need RCPT command\n");
    assert_non_null(strstr(str_ptr(&world.notes), "\na: b\n\n.\n"));
    done(&world);
}

/* A dead cleanup costs the message, never the session. */
static void test_dead_cleanup(void **state)
{
    struct world at_open = {.mode = CLEANUP_DIES_AT_OPEN};
    struct world at_end = {.mode = CLEANUP_DIES_AT_END};
    struct world full = {.mode = CLEANUP_FULL};
    (void)state;
    play(&at_open, "",
         BEGIN "> RCPT TO:<ann>\n< 451 4.3.0 Error: queue file write error\n"
               "> NOOP\n< 250 2.0.0 Ok\n" QUIT);
    play(&at_end, "",
         BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n" GO "> a: b@@.@@\n"
               "< 451 4.3.0 Error: queue file write error\n> NOOP\n"
               "< 250 2.0.0 Ok\n" QUIT);
    play(&full, "",
         BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n" GO "> a: b@@.@@\n"
               "< 552 5.3.4 Error: message file too big\n" QUIT);
    assert_int_equal(at_open.messages + at_end.messages + full.messages, 0);
    done(&at_open);
    done(&at_end);
    done(&full);
}

static void test_actions(void **state)
{
    struct world world = {0};
    (void)state;
    play(&world,
         "smtpd_recipient_restrictions = check_recipient_access inline:{"
         "{ann@mail.example.com=PREPEND X-A: b}, {bob@mail.example.com=HOLD},"
         "{cat@mail.example.com=REDIRECT new@far.example}}, check_sender_access "
         "inline:{{s@example.org=BCC copy@far.example}}\n",
         BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n> RCPT TO:<bob>\n< 250 2.1.5 Ok\n"
               "> RCPT TO:<cat>\n< 250 2.1.5 Ok\n" GO "> a: b@@.@@\n" QUEUED QUIT);
    const char *notes = str_ptr(&world.notes);
    assert_true(world.held);
    assert_non_null(strstr(notes, "X-A: b\nReceived: "));
    assert_non_null(strstr(notes, "to=<new@far.example> orig=<ann> "));
    assert_non_null(strstr(notes, "to=<copy@far.example> orig=<> orcpt=<> notify=1\n"));
    done(&world);
}

static void test_discard(void **state)
{
    struct world world = {0};
    (void)state;
    play(&world, "smtpd_sender_restrictions = check_sender_access static:DISCARD\n",
         BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n" GO "> a: b@@.@@\n" QUEUED QUIT);
    assert_int_equal(world.messages, 0);
    done(&world);
}

/* Restrictions at the end of data see the whole message and can still redirect it. */
static void test_end_of_data(void **state)
{
    struct world world = {0};
    (void)state;
    play(&world,
         "smtpd_end_of_data_restrictions = check_sender_access "
         "inline:{{s@example.org=REDIRECT new@far.example}, {<>=REJECT late}}\n",
         BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n" GO "> a: b@@.@@\n" QUEUED
               "> MAIL FROM:<>\n< 250 2.1.0 Ok\n> RCPT TO:<ann>\n< 250 2.1.5 Ok\n" GO
               "> a: b@@.@@\n< 554 5.7.1 <>: Sender address rejected: late\n"
               "> MAIL FROM:<>\n< 250 2.1.0 Ok\n" QUIT);
    assert_int_equal(world.messages, 1);
    assert_non_null(strstr(str_ptr(&world.notes), "to=<new@far.example> orig=<ann> "));
    done(&world);
}

static void test_restrictions(void **state)
{
    struct world world = {0};
    (void)state;
    play(&world,
         "mynetworks = 10.0.0.0/8\nsmtpd_restriction_classes = picky\n"
         "picky = reject_non_fqdn_sender, permit\nsmtpd_helo_restrictions = "
         "check_helo_access inline:{{bad=DEFER_IF_PERMIT not yet},{worse=nonsense}}\n"
         "smtpd_recipient_restrictions = check_recipient_access "
         "inline:{{bob@mail.example.com=picky},{cat@mail.example.com=521 go}}\n",
         HELLO "> MAIL FROM:<s>\n< 250 2.1.0 Ok\n> RCPT TO:<a@far.example>\n"
               "< 454 4.7.1 <a@far.example>: Relay access denied\n> RCPT TO:<ann>\n"
               "< 250 2.1.5 Ok\n> RCPT TO:<bob>\n< 504 5.5.2 <s>: Sender address "
               "rejected: need fully-qualified address\n> HELO bad\n"
               "< 250 mail.example.com\n> MAIL FROM:<s@x>\n< 250 2.1.0 Ok\n"
               "> RCPT TO:<ann>\n< 450 4.7.1 <bad>: Helo command rejected: not yet\n"
               "> RCPT TO:<a@far.example>\n"
               "< 454 4.7.1 <a@far.example>: Relay access denied\n> HELO worse\n"
               "< 250 mail.example.com\n> MAIL FROM:<s@x>\n< 250 2.1.0 Ok\n"
               "> RCPT TO:<ann>\n< 451 4.3.5 Server configuration error\n> HELO x\n"
               "< 250 mail.example.com\n> MAIL FROM:<s@x>\n< 250 2.1.0 Ok\n"
               "> RCPT TO:<cat>\n< 521 5.7.1 <cat>: Recipient address rejected: go\n"
               "< (closed)\n");
    done(&world);
}

static void test_limits(void **state)
{
    struct world errors = {0};
    struct world slow = {0};
    struct world recipients = {0};
    (void)state;
    play(&errors, "smtpd_hard_error_limit = 2\n",
         HELLO "> FOO\n< 500 5.5.2 Error: command not recognized\n> FOO\n"
               "< 500 5.5.2 Error: command not recognized\n"
               "< 421 4.7.0 mail.example.com Error: too many errors\n< (closed)\n");
    play(&slow, "smtpd_timeout = 1\n",
         HELLO "< 421 4.4.2 mail.example.com Error: timeout exceeded\n< (closed)\n");
    play(&recipients, "smtpd_recipient_limit = 1\n",
         BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n> RCPT TO:<bob>\n"
               "< 452 4.5.3 Error: too many recipients\n" QUIT);
    done(&errors);
    done(&slow);
    done(&recipients);
}

/* Half a command, then silence: no leak, no reply. */
static void test_lost(void **state)
{
    static const char *const SCRIPTS[] = {
        "< 220 ...\n",
        HELLO "> MAIL FROM:<s@x\n",
        BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n",
        BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n" GO "> a: b@@@@.\n",
        BEGIN "> RCPT TO:<ann>\n< 250 2.1.5 Ok\n> BDAT 100 LAST@@a\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(SCRIPTS); i++) {
        struct world world = {0};
        play(&world, "", SCRIPTS[i]);
        assert_int_equal(world.messages, 0);
        done(&world);
    }
}

static char *test_dir;

static int enter(void **state)
{
    (void)state;
    test_dir = test_make_dir();
    log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    log_set_stderr(false);
    return chdir(test_dir) == 0 && mkdir("public", 0700) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    int result = chdir("/");
    test_remove_dir(test_dir);
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),     cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_bdat),        cmocka_unit_test(test_dead_cleanup),
        cmocka_unit_test(test_actions),     cmocka_unit_test(test_discard),
        cmocka_unit_test(test_end_of_data), cmocka_unit_test(test_restrictions),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_lost),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
