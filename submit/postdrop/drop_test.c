/* SPDX-License-Identifier: MIT */
/* What a user may put into maildrop/, and what not. */
#include "testing/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/frame.h"
#include "rpc/submit_server.h"
#include "submit/postdrop/postdrop.h"
#include "sys/file.h"

struct fixture {
    char *dir, *before;
    struct conf *conf;
    struct dropper dropper;
    struct stream *user; /* our end */
    struct stream *peer;
    struct str frame;
};

static unsigned dropped;

static void count_dropped(const struct dropper *dropper)
{
    (void)dropper;
    dropped++;
}

static void set_up(struct fixture *f, const char *text)
{
    int fds[2];
    *f = (struct fixture){0};
    dropped = 0;
    f->dir = test_make_dir();
    f->before = getcwd(NULL, 0);
    assert_int_equal(chdir(f->dir), 0);
    assert_int_equal(mkdir("maildrop", 0755), 0);
    f->conf = conf_open_text(".", text, NULL);
    assert_non_null(f->conf);
    f->dropper = (struct dropper){.conf = f->conf,
                                  .dirs = queue_dirs_new(f->conf),
                                  .uid = 1000,
                                  .dropped = count_dropped};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    f->user = stream_new(fds[0]);
    f->peer = stream_new(fds[1]);
    log_set_stderr(false);
}

static void tear_down(struct fixture *f)
{
    stream_free(&f->user);
    stream_free(&f->peer);
    str_done(&f->frame);
    queue_dirs_free(&f->dropper.dirs);
    conf_free(&f->conf);
    assert_int_equal(chdir(f->before), 0);
    free(f->before);
    test_remove_dir(f->dir);
}

static void send_number(struct fixture *f, enum submit_frame kind, uint64_t number)
{
    frame_begin(&f->frame, (uint8_t)kind);
    frame_put_u64(&f->frame, number);
    assert_true(frame_send(f->user, &f->frame));
}

static void send_text(struct fixture *f, enum submit_frame kind, struct view text)
{
    frame_begin(&f->frame, (uint8_t)kind);
    frame_put_view(&f->frame, text);
    if (kind == SUBMIT_FRAME_RECIPIENT) {
        frame_put_cstr(&f->frame, "");
        frame_put_cstr(&f->frame, "");
        frame_put_u8(&f->frame, 0);
    }
    assert_true(frame_send(f->user, &f->frame));
}

static void send_attribute(struct fixture *f, const char *name, const char *value)
{
    frame_begin(&f->frame, SUBMIT_FRAME_ATTRIBUTE);
    frame_put_cstr(&f->frame, name);
    frame_put_cstr(&f->frame, value);
    assert_true(frame_send(f->user, &f->frame));
}

static void send_end(struct fixture *f, enum submit_frame kind)
{
    frame_begin(&f->frame, (uint8_t)kind);
    assert_true(frame_send_now(f->user, &f->frame));
}

static void begin(struct fixture *f)
{
    send_number(f, SUBMIT_FRAME_OPEN, 0);
    send_attribute(f, "rewrite_context", "local");
    send_text(f, SUBMIT_FRAME_SENDER, VIEW("joe"));
}

/* All has been sent: let the dropper work.  False: it found a protocol error. */
static bool serve(struct fixture *f)
{
    assert_true(stream_flush(f->user));
    assert_int_equal(shutdown(stream_fd(f->user), SHUT_WR), 0);
    return drop_serve(&f->dropper, f->peer);
}

static size_t count_files(void)
{
    size_t count = 0;
    char id[QUEUE_ID_MAX];
    struct conf *conf = conf_open_text(".", "", NULL);
    struct queue_dirs *dirs = queue_dirs_new(conf);
    struct queue_scan *scan = queue_scan_open(dirs, QUEUE_MAILDROP);
    while (queue_scan_next(scan, id)) {
        count++;
    }
    queue_scan_close(&scan);
    queue_dirs_free(&dirs);
    conf_free(&conf);
    return count;
}

static void test_message(void **state)
{
    (void)state;
    struct fixture f;
    struct arena arena = {0};
    struct queue_message message;
    struct err err = {0};
    uint8_t kind;
    struct frame_reader reader;
    char id[QUEUE_ID_MAX] = {0};
    set_up(&f, "");
    begin(&f);
    send_attribute(&f, "client_address", "10.0.0.1"); /* anybody could say so */
    send_attribute(&f, "rewrite_context", "remote");
    send_attribute(&f, "envelope_id", "x");
    send_number(&f, SUBMIT_FRAME_FILE_FLAGS, QUEUE_FILE_8BITMIME);
    send_text(&f, SUBMIT_FRAME_RECIPIENT, VIEW("ann"));
    send_text(&f, SUBMIT_FRAME_CONTENT, VIEW("Subject: x\n\n"));
    send_text(&f, SUBMIT_FRAME_RECIPIENT, VIEW("late"));
    send_end(&f, SUBMIT_FRAME_FINISH);
    assert_true(serve(&f));
    assert_int_equal(dropped, 1);
    assert_true(frame_receive(f.user, &kind, &reader));
    assert_int_equal(kind, SUBMIT_FRAME_OPENED);
    assert_int_equal(frame_get_u8(&reader), 1);
    struct view id_view = frame_get_view(&reader);
    memcpy(id, id_view.ptr, id_view.len);
    assert_true(frame_receive(f.user, &kind, &reader));
    assert_int_equal(kind, SUBMIT_FRAME_RESULT);
    assert_int_equal(frame_get_u8(&reader), SUBMIT_OK);
    int fd = queue_open(f.dropper.dirs, QUEUE_MAILDROP, id, O_RDONLY);
    assert_int_equal(queue_file_read(fd, &arena, &message, &err), OK);
    assert_int_equal(message.recipient_count, 2);
    assert_view_equal(queue_message_attribute(&message, "rewrite_context"), "local");
    assert_view_equal(queue_message_attribute(&message, "envelope_id"), "x");
    assert_int_equal(queue_message_attribute(&message, "client_address").len, 0);
    fd_close(&fd);
    arena_clear(&arena);
    tear_down(&f);
}

/* Each of these sends something after a good beginning; nothing may be left behind. */
static void hostile_sender(struct fixture *f)
{
    send_text(f, SUBMIT_FRAME_SENDER, VIEW("again"));
}

static void hostile_arrival(struct fixture *f)
{
    send_number(f, SUBMIT_FRAME_ARRIVAL, 1);
}

static void hostile_flags(struct fixture *f)
{
    send_number(f, SUBMIT_FRAME_FILE_FLAGS, 1U << 20);
}

static void hostile_order(struct fixture *f)
{
    send_text(f, SUBMIT_FRAME_CONTENT, VIEW("x"));
    send_text(f, SUBMIT_FRAME_RECIPIENT, VIEW("ann"));
    send_text(f, SUBMIT_FRAME_CONTENT, VIEW("x"));
}

static void hostile_newline(struct fixture *f)
{
    send_text(f, SUBMIT_FRAME_RECIPIENT, VIEW("ann\nR bob"));
}

static void hostile_nul(struct fixture *f)
{
    send_text(f, SUBMIT_FRAME_RECIPIENT, VIEW("ann\0bob"));
}

static void hostile_open(struct fixture *f)
{
    send_number(f, SUBMIT_FRAME_OPEN, 0);
}

static void hostile_bytes(struct fixture *f)
{
    stream_write_cstr(f->user, "GET / HTTP/1.0\r\n\r\n                              ");
}

static void test_hostile(void **state)
{
    (void)state;
    static void (*const cases[])(struct fixture *) = {
        hostile_sender,  hostile_arrival, hostile_flags, hostile_order,
        hostile_newline, hostile_nul,     hostile_open,  hostile_bytes};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture f;
        set_up(&f, "");
        begin(&f);
        cases[i](&f);
        assert_false(serve(&f));
        assert_int_equal(count_files(), 0);
        assert_int_equal(dropped, 0);
        tear_down(&f);
    }
}

static void test_first_frame(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "");
    send_number(&f, SUBMIT_FRAME_OPEN,
                SUBMIT_MAP); /* flags are not the user's business */
    assert_false(serve(&f));
    tear_down(&f);
    set_up(&f, "");
    assert_true(serve(&f)); /* nothing at all is no error */
    tear_down(&f);
}

static void expect_result(struct fixture *f, enum submit_status status)
{
    uint8_t kind;
    struct frame_reader reader;
    assert_true(frame_receive(f->user, &kind, &reader));
    assert_int_equal(kind, SUBMIT_FRAME_OPENED);
    assert_true(frame_receive(f->user, &kind, &reader));
    assert_int_equal(kind, SUBMIT_FRAME_RESULT);
    assert_int_equal(frame_get_u8(&reader), status);
    assert_int_equal(count_files(), 0);
}

static void test_refused(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "message_size_limit = 10\n");
    begin(&f);
    send_text(&f, SUBMIT_FRAME_RECIPIENT, VIEW("ann"));
    send_text(&f, SUBMIT_FRAME_CONTENT, VIEW("0123456789\n"));
    send_text(&f, SUBMIT_FRAME_CONTENT, VIEW("more\n"));
    send_end(&f, SUBMIT_FRAME_FINISH);
    assert_true(serve(&f));
    expect_result(&f, SUBMIT_TOO_BIG);
    tear_down(&f);
    set_up(&f, "");
    begin(&f);
    send_end(&f, SUBMIT_FRAME_FINISH);
    assert_true(serve(&f));
    expect_result(&f, SUBMIT_NO_RECIPIENTS);
    tear_down(&f);
}

static void test_abandoned(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "");
    begin(&f);
    assert_true(serve(&f));
    assert_int_equal(count_files(), 0);
    tear_down(&f);
    set_up(&f, "");
    begin(&f);
    send_end(&f, SUBMIT_FRAME_ABORT);
    assert_true(serve(&f));
    assert_int_equal(count_files(), 0);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),     cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_first_frame), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
