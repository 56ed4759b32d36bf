/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "rpc/auth.h"
#include "sys/clock.h"
#include "testing/unix_server.h"

static void test_security(void **state)
{
    unsigned set;
    struct view bad;
    (void)state;
    assert_true(auth_security_parse(VIEW("noplaintext, NoAnonymous"), &set, &bad));
    assert_int_equal(set, AUTH_NO_PLAINTEXT | AUTH_NO_ANONYMOUS);
    assert_true(auth_security_parse(VIEW(""), &set, &bad));
    assert_int_equal(set, 0);
    assert_false(auth_security_parse(VIEW("mutual_auth nonsense"), &set, &bad));
    assert_view_equal(bad, "nonsense");
}

/* --- a worker that plays LOGIN -----------------------------------------------------
 */

enum play { PLAY_LOGIN, PLAY_MECHANISMS, PLAY_DIE, PLAY_LIE };

static void answer(struct stream *client, enum auth_result result, struct view text,
                   struct view user)
{
    struct auth_note notes[] = {{.warning = true, .text = VIEW("SASL problem")},
                                {.warning = false, .text = VIEW("SASL info")}};
    struct auth_step step = {.result = result,
                             .text = text,
                             .user = user,
                             .notes = notes,
                             .note_count = result == AUTH_REFUSED ? 2 : 0};
    assert_true(auth_send_step(client, &step));
}

static void serve_login(struct stream *client, const struct auth_request *request)
{
    struct arena arena = {0};
    struct auth_request response;
    assert_int_equal(request->kind, AUTH_FRAME_BEGIN);
    assert_view_equal(request->settings.application, "smtpd");
    assert_view_equal(request->settings.realm, "example.com");
    assert_view_equal(request->settings.remote, "192.0.2.1;1000");
    assert_int_equal(request->settings.security, AUTH_NO_ANONYMOUS);
    assert_view_equal(request->mechanism, "LOGIN");
    assert_null(request->initial.ptr);
    answer(client, AUTH_MORE, VIEW("VXNlcm5hbWU6"), VIEW(""));
    if (auth_receive(client, &arena, &response)) {
        bool known = view_equal_cstr(response.response, "am9l");
        answer(client, known ? AUTH_DONE : AUTH_REFUSED,
               known ? VIEW("") : VIEW("authentication failure"), VIEW("joe"));
    }
    arena_clear(&arena);
}

static void serve(void *context, size_t number, struct stream *client)
{
    const enum play *plays = context;
    struct arena arena = {0};
    struct auth_request request;
    assert_true(auth_receive(client, &arena, &request));
    switch (plays[number]) {
    case PLAY_LOGIN:
        serve_login(client, &request);
        break;
    case PLAY_MECHANISMS:
        assert_int_equal(request.kind, AUTH_FRAME_MECHANISMS);
        answer(client, AUTH_DONE, VIEW("PLAIN LOGIN"), VIEW(""));
        break;
    case PLAY_DIE:
        break;
    case PLAY_LIE:
        stream_write(client, view_of("\1\0\0\0x", 5));
        (void)stream_flush(client);
        break;
    }
    arena_clear(&arena);
}

static const struct auth_settings SETTINGS = {.service = {"smtp", 4},
                                              .application = {"smtpd", 5},
                                              .realm = {"example.com", 11},
                                              .remote = {"192.0.2.1;1000", 14},
                                              .security = AUTH_NO_ANONYMOUS};

static void log_in(const struct conf *conf, struct view response, struct arena *arena,
                   struct auth_step *step)
{
    struct auth_login *login =
        auth_login_begin(conf, &SETTINGS, VIEW("LOGIN"), view_of(NULL, 0), arena, step);
    assert_non_null(login);
    assert_int_equal(step->result, AUTH_MORE);
    assert_view_equal(step->text, "VXNlcm5hbWU6");
    if (response.ptr == NULL) {
        auth_login_abandon(&login);
    } else {
        auth_login_continue(&login, response, arena, step);
    }
    assert_null(login);
}

static void expect_loss(const struct conf *conf, struct arena *arena, const char *why)
{
    struct auth_step step;
    assert_null(
        auth_login_begin(conf, &SETTINGS, VIEW("PLAIN"), VIEW("AA=="), arena, &step));
    assert_int_equal(step.result, AUTH_TROUBLE);
    assert_true(step.lost);
    assert_view_equal(step.text, why);
}

static void body(void *context)
{
    enum play plays[] = {PLAY_LOGIN,      PLAY_LOGIN, PLAY_LOGIN,
                         PLAY_MECHANISMS, PLAY_DIE,   PLAY_LIE};
    struct unix_server server = {.path = "private/saslauth",
                                 .connections = 6,
                                 .session = serve,
                                 .context = plays};
    struct conf *conf = conf_open_text(".", "", NULL);
    struct arena arena = {0};
    struct auth_step step;
    struct err err = {0};
    (void)context;
    expect_loss(conf, &arena, "connect to private/saslauth: No such file or directory");
    unix_server_start(&server);
    log_in(conf, VIEW("am9l"), &arena, &step);
    assert_int_equal(step.result, AUTH_DONE);
    assert_view_equal(step.user, "joe");
    log_in(conf, VIEW("eA=="), &arena, &step);
    assert_int_equal(step.result, AUTH_REFUSED);
    assert_int_equal(step.note_count, 2);
    assert_true(step.notes[0].warning && !step.notes[1].warning);
    assert_view_equal(step.notes[1].text, "SASL info");
    log_in(conf, view_of(NULL, 0), &arena, &step);
    assert_int_equal(auth_mechanisms(conf, &SETTINGS, &arena, &step, &err), OK);
    assert_view_equal(step.text, "PLAIN LOGIN");
    expect_loss(conf, &arena, "private/saslauth: lost connection");
    expect_loss(conf, &arena, "private/saslauth: malformed answer");
    unix_server_wait(&server);
    conf_free(&conf);
    arena_clear(&arena);
}

static void test_login(void **state)
{
    (void)state;
    test_run_in_spool(body, NULL);
}

/* Every beginning of a step is no step. */
static void test_truncated(void **state)
{
    static const char FIELDS[] = "f\3\0\0\0why\2\0\0\0me\1\0\0\0\0\0\0\0\1\4\0\0\0note";
    const size_t len = sizeof(FIELDS) - 1;
    (void)state;
    for (size_t i = 0; i <= len; i++) {
        struct arena arena = {0};
        struct auth_step step;
        bool parsed = auth_step_parse(view_of(FIELDS, i), &arena, &step);
        assert_int_equal(parsed, i == len);
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_security),
                                       cmocka_unit_test(test_login),
                                       cmocka_unit_test(test_truncated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
