/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>
#include <unistd.h>

#include "net/frame.h"
#include "rpc/submit_server.h"
#include "testing/unix_server.h"

static const char ID[] = "307D1A90021";

/* What a scripted cleanup does with the messages of one connection. */
struct script {
    size_t messages;      /* then it closes the connection */
    bool answer_early;    /* RESULT right after OPENED */
    bool close_in_middle; /* after OPENED */
    bool garbage;         /* instead of OPENED */
    struct str seen;      /* records, one letter each */
};

static void answer(struct stream *client, enum submit_status status)
{
    struct submit_result result = {
        .status = status, .dsn = "2.0.0", .text = "text", .size = 42};
    assert_true(submit_send_result(client, &result));
}

static bool serve_message(struct script *script, struct stream *client)
{
    struct submit_record record;
    if (!submit_receive(client, &record)) {
        return false;
    }
    assert_int_equal(record.kind, SUBMIT_FRAME_OPEN);
    assert_int_equal(record.number, SUBMIT_MAP);
    assert_true(
        submit_send_opened(client, true, script->garbage ? VIEW("../x") : VIEW(ID)));
    if (script->close_in_middle || script->garbage) {
        return false;
    }
    if (script->answer_early) {
        answer(client, SUBMIT_TOO_BIG);
    }
    while (submit_receive(client, &record)) {
        str_add_byte(&script->seen, (char)record.kind);
        if (record.kind == SUBMIT_FRAME_ABORT) {
            return true;
        }
        if (record.kind == SUBMIT_FRAME_FINISH) {
            if (!script->answer_early) {
                answer(client, SUBMIT_OK);
            }
            return true;
        }
    }
    return false;
}

static void serve(void *context, size_t number, struct stream *client)
{
    struct script *script = (struct script *)context + number;
    for (size_t i = 0; i < script->messages && serve_message(script, client); i++) {
    }
}

static struct conf *open_conf(void)
{
    struct conf *conf = conf_open_text(".", "", NULL);
    assert_non_null(conf);
    return conf;
}

static void send_all(struct submit *submit)
{
    struct queue_recipient recipient = {
        .address = VIEW("a@b"), .original = VIEW("a"), .dsn_notify = DSN_NOTIFY_NEVER};
    submit_arrival_time(submit, 5);
    submit_set_file_flags(submit, QUEUE_FILE_8BITMIME);
    submit_attribute(submit, "log_ident", VIEW("x"));
    submit_fullname(submit, VIEW("Name"));
    submit_sender(submit, VIEW(""));
    submit_recipient(submit, &recipient);
    submit_content(submit, VIEW("Subject: x\n\n"));
    submit_recipient(submit, &recipient);
}

/* The answer to a message brings the ID of the next: 'O' then gets no answer, whether
 * the message is finished or dropped. */
static void serve_ahead(void *context, size_t number, struct stream *client)
{
    static const char *const after[] = {"EO", "X", "EO"};
    struct submit_record record;
    struct str *seen = context;
    struct submit_result result = {.status = SUBMIT_OK};
    bool opened = false;
    for (size_t i = 0; number == 0 && i < ARRAY_SIZE(after); i++) {
        assert_true(submit_receive(client, &record));
        assert_int_equal(record.kind, SUBMIT_FRAME_OPEN);
        assert_int_equal(record.number, SUBMIT_MAP | SUBMIT_AHEAD);
        assert_true(opened || submit_send_opened(client, true, VIEW(ID)));
        while (submit_receive(client, &record) && record.kind != SUBMIT_FRAME_FINISH &&
               record.kind != SUBMIT_FRAME_ABORT) {
        }
        str_add_byte(seen, (char)record.kind);
        opened = record.kind == SUBMIT_FRAME_FINISH;
        assert_true(!opened || submit_send_result_and_opened(client, &result, true,
                                                             VIEW("307D1A90022")));
    }
}

static void body_ahead(void *context)
{
    struct str seen = {0};
    struct unix_server server = {.path = "public/cleanup",
                                 .connections = 1,
                                 .session = serve_ahead,
                                 .context = &seen};
    struct conf *conf = open_conf();
    struct submit_client *client = submit_client_new(conf, NULL);
    struct submit_result result;
    (void)context;
    submit_client_expect_more(client);
    unix_server_start(&server);
    static const char *const ids[] = {ID, "307D1A90022", ID};
    for (int i = 0; i < 3; i++) {
        struct submit *submit = submit_begin(client, SUBMIT_MAP, NULL);
        assert_non_null(submit);
        assert_string_equal(submit_queue_id(submit), ids[i]);
        if (i == 1) {
            submit_abort(submit);
            continue;
        }
        send_all(submit);
        submit_finish(submit, &result);
        assert_int_equal(result.status, SUBMIT_OK);
    }
    submit_client_free(&client);
    unix_server_wait(&server);
    assert_string_equal(str_ptr(&seen), "EXE");
    conf_free(&conf);
    str_done(&seen);
}

/* Two messages on one connection; it then dies between messages, which costs nothing.
 */
static void body_reuse(void *context)
{
    struct script scripts[] = {{.messages = 2}, {.messages = 1}};
    struct unix_server server = {.path = "public/cleanup",
                                 .connections = 2,
                                 .session = serve,
                                 .context = scripts};
    struct conf *conf = open_conf();
    struct submit_client *client = submit_client_new(conf, NULL);
    struct submit_result result;
    (void)context;
    unix_server_start(&server);
    for (int i = 0; i < 3; i++) {
        struct submit *submit = submit_begin(client, SUBMIT_MAP, NULL);
        assert_non_null(submit);
        assert_string_equal(submit_queue_id(submit), ID);
        send_all(submit);
        assert_true(submit_ok(submit));
        submit_finish(submit, &result);
        assert_int_equal(result.status, SUBMIT_OK);
        assert_int_equal(result.size, 42);
    }
    submit_client_free(&client);
    unix_server_wait(&server);
    assert_string_equal(str_ptr(&scripts[0].seen), "TGAFSRCRETGAFSRCRE");
    assert_string_equal(str_ptr(&scripts[1].seen), "TGAFSRCRE");
    conf_free(&conf);
    str_done(&scripts[0].seen);
    str_done(&scripts[1].seen);
}

static void body_trouble(void *context)
{
    struct script scripts[] = {{.messages = 1, .close_in_middle = true},
                               {.messages = 1, .garbage = true},
                               {.messages = 2, .answer_early = true}};
    struct unix_server server = {
        .path = "public/other", .connections = 3, .session = serve, .context = scripts};
    struct conf *conf = open_conf();
    struct submit_client *client = submit_client_new(conf, "other");
    struct submit_result result;
    struct err err = {0};
    (void)context;
    unix_server_start(&server);
    struct submit *submit = submit_begin(client, SUBMIT_MAP, NULL);
    assert_non_null(submit);
    send_all(submit);
    submit_finish(submit, &result);
    assert_int_equal(result.status, SUBMIT_LOST);
    assert_null(submit_begin(client, SUBMIT_MAP, &err)); /* an ID that is a path */
    assert_string_equal(err.text, "public/other: malformed answer");
    submit = submit_begin(client, SUBMIT_MAP, &err);
    assert_non_null(submit);
    send_all(submit);
    submit_finish(submit, &result);
    assert_int_equal(result.status, SUBMIT_TOO_BIG);
    submit = submit_begin(client, SUBMIT_MAP, &err);
    assert_non_null(submit);
    submit_abort(submit);
    submit_client_free(&client);
    unix_server_wait(&server);
    conf_free(&conf);
    str_done(&scripts[2].seen);
}

static void body_no_server(void *context)
{
    struct conf *conf = open_conf();
    struct submit_client *client = submit_client_new(conf, NULL);
    struct err err = {0};
    (void)context;
    assert_null(submit_begin(client, 0, &err));
    assert_string_equal(err.text,
                        "connect to public/cleanup: No such file or directory");
    submit_client_free(&client);
    conf_free(&conf);
}

static void test_reuse(void **state)
{
    (void)state;
    test_run_in_spool(body_reuse, NULL);
}

static void test_ahead(void **state)
{
    (void)state;
    test_run_in_spool(body_ahead, NULL);
}

static void test_trouble(void **state)
{
    (void)state;
    test_run_in_spool(body_trouble, NULL);
}

static void test_no_server(void **state)
{
    (void)state;
    test_run_in_spool(body_no_server, NULL);
}

/* --- the parser ------------------------------------------------------------------- */

static struct view fields_of(struct str *frame)
{
    return view_from(str_view(frame), sizeof(uint32_t) + 1);
}

static bool parse_attribute(const char *name, struct view value)
{
    struct str frame = {0};
    struct submit_record record;
    frame_begin(&frame, SUBMIT_FRAME_ATTRIBUTE);
    frame_put_cstr(&frame, name);
    frame_put_view(&frame, value);
    bool good = submit_record_parse(SUBMIT_FRAME_ATTRIBUTE, fields_of(&frame), &record);
    str_done(&frame);
    return good;
}

static void test_hostile_records(void **state)
{
    (void)state;
    struct str frame = {0};
    struct submit_record record;
    assert_true(parse_attribute("log_ident", VIEW("x y")));
    assert_false(parse_attribute("", VIEW("x")));
    assert_false(parse_attribute("a=b", VIEW("x")));
    assert_false(parse_attribute("a", VIEW("x\ny")));
    assert_false(parse_attribute("a", VIEW("x\0y")));
    assert_false(parse_attribute(
        "a234567890123456789012345678901234567890123456789012345678901234", VIEW("x")));
    frame_begin(&frame, SUBMIT_FRAME_SENDER);
    frame_put_view(&frame, VIEW("a@b\r\nRCPT TO:<c>"));
    assert_false(submit_record_parse(SUBMIT_FRAME_SENDER, fields_of(&frame), &record));
    assert_false(submit_record_parse('?', VIEW(""), &record));
    assert_false(submit_record_parse(SUBMIT_FRAME_FINISH, VIEW("x"), &record));
    assert_true(submit_record_parse(SUBMIT_FRAME_FINISH, VIEW(""), &record));
    str_done(&frame);
}

static void test_truncated_recipient(void **state)
{
    (void)state;
    struct str frame = {0};
    struct submit_record record;
    frame_begin(&frame, SUBMIT_FRAME_RECIPIENT);
    frame_put_view(&frame, VIEW("a@b"));
    frame_put_view(&frame, VIEW("a"));
    frame_put_view(&frame, VIEW("rfc822;a@b"));
    frame_put_u8(&frame, 2);
    struct view fields = fields_of(&frame);
    for (size_t len = 0; len < fields.len; len++) {
        assert_false(submit_record_parse(SUBMIT_FRAME_RECIPIENT,
                                         view_first(fields, len), &record));
    }
    assert_true(submit_record_parse(SUBMIT_FRAME_RECIPIENT, fields, &record));
    assert_view_equal(record.recipient.dsn_orcpt, "rfc822;a@b");
    assert_int_equal(record.recipient.dsn_notify, 2);
    str_done(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_trouble),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_hostile_records),
        cmocka_unit_test(test_truncated_recipient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
