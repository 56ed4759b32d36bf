/* SPDX-License-Identifier: MIT */
/*
 * Logins with the real library and a user database of our own.  The library's
 * mechanisms come from where it is installed.
 */
#include "testing/test.h"

#include "auth/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/watchdog.h"
#include "base/alloc.h"
#include "sys/clock.h"

struct world {
    char *dir;
    struct conf *conf;
    struct library *library;
    struct arena arena;
    struct auth_settings settings;
};

/* saslpasswd2 knows the file's format; without it there is nothing to test. */
static bool add_user(const char *dir)
{
    char *command =
        xasprintf("saslpasswd2 -p -c -f %s/db -u example.com joe 2>/dev/null", dir);
    FILE *program = popen(command, "w");
    bool good = program != NULL && fputs("secret1", program) >= 0;
    good = program != NULL && pclose(program) == 0 && good;
    free(command);
    return good;
}

static int enter(void **state)
{
    struct world *world = xcalloc(1, sizeof(*world));
    STR_AUTO struct str text = {0};
    world->dir = test_make_dir();
    if (!add_user(world->dir)) {
        test_remove_dir(world->dir);
        free(world);
        return 0;
    }
    str_printf(&text,
               "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s/db\n"
               "mech_list: PLAIN LOGIN CRAM-MD5\n",
               world->dir);
    test_write_file(world->dir, "app.conf", str_ptr(&text));
    world->conf = conf_open_text(".", "", NULL);
    world->library = library_new(world->conf);
    world->settings = (struct auth_settings){.service = VIEW("smtp"),
                                             .application = VIEW("app"),
                                             .config_path = view_cstr(world->dir),
                                             .realm = VIEW("example.com"),
                                             .host = VIEW("mail.example.com"),
                                             .security = AUTH_NO_ANONYMOUS};
    watchdog_init(INT64_C(100) * CLOCK_SECOND);
    *state = world;
    return 0;
}

static int leave(void **state)
{
    struct world *world = *state;
    if (world != NULL) {
        library_free(&world->library);
        conf_free(&world->conf);
        arena_clear(&world->arena);
        test_remove_dir(world->dir);
        free(world);
    }
    return 0;
}

static struct world *world_or_skip(void **state)
{
    if (*state == NULL) {
        skip();
    }
    return *state;
}

static struct login *begin(struct world *world, const char *mechanism,
                           const char *initial, struct auth_step *step)
{
    struct auth_request request = {.kind = AUTH_FRAME_BEGIN,
                                   .settings = world->settings,
                                   .mechanism = view_cstr(mechanism)};
    request.initial = initial != NULL ? view_cstr(initial) : view_of(NULL, 0);
    return login_begin(world->library, &request, &world->arena, step);
}

static void expect_end(struct world *world, const char *mechanism, const char *initial,
                       enum auth_result result, const char *text, const char *user)
{
    struct auth_step step;
    assert_null(begin(world, mechanism, initial, &step));
    assert_int_equal(step.result, result);
    assert_view_equal(step.text, text);
    assert_view_equal(step.user, user);
}

static void test_plain(void **state)
{
    struct world *world = world_or_skip(state);
    expect_end(world, "PLAIN", "AGpvZQBzZWNyZXQx", AUTH_DONE, "", "joe@example.com");
    expect_end(world, "plain", "AGpvZUBleGFtcGxlLmNvbQBzZWNyZXQx", AUTH_DONE, "",
               "joe@example.com");
    expect_end(world, "PLAIN", "AGpvZQB3cm9uZw==", AUTH_REFUSED,
               "authentication failure", "joe@example.com");
    expect_end(world, "PLAIN", "AG5vYm9keQB4", AUTH_REFUSED, "authentication failure",
               "nobody@example.com");
    expect_end(world, "PLAIN", "!!!!", AUTH_REFUSED, "bad protocol / cancel", "");
    expect_end(world, "PLAIN", "A", AUTH_REFUSED,
               "another step is needed in authentication", "");
    expect_end(world, "PLAIN", "=", AUTH_REFUSED, "bad protocol / cancel", "");
}

static void test_notes(void **state)
{
    struct world *world = world_or_skip(state);
    struct auth_step step;
    assert_null(begin(world, "NOSUCH", NULL, &step));
    assert_int_equal(step.result, AUTH_REFUSED);
    assert_view_equal(step.text, "no mechanism available");
    assert_int_equal(step.note_count, 1);
    assert_true(step.notes[0].warning);
    assert_view_equal(step.notes[0].text,
                      "SASL authentication failure: Couldn't find mech NOSUCH");
}

static void test_login(void **state)
{
    struct world *world = world_or_skip(state);
    struct auth_step step;
    struct login *login = begin(world, "LOGIN", NULL, &step);
    assert_non_null(login);
    assert_view_equal(step.text, "VXNlcm5hbWU6");
    login_continue(&login, VIEW("am9l"), &world->arena, &step);
    assert_non_null(login);
    assert_view_equal(step.text, "UGFzc3dvcmQ6");
    login_continue(&login, VIEW("c2VjcmV0MQ=="), &world->arena, &step);
    assert_null(login);
    assert_int_equal(step.result, AUTH_DONE);
    assert_view_equal(step.user, "joe@example.com");
    login = begin(world, "LOGIN", NULL, &step);
    login_continue(&login, VIEW("!"), &world->arena, &step);
    assert_null(login);
    assert_int_equal(step.result, AUTH_REFUSED);
    login = begin(world, "CRAM-MD5", NULL, &step);
    assert_non_null(login);
    assert_true(step.text.len > 0);
    login_end(&login);
}

static void test_mechanisms(void **state)
{
    struct world *world = world_or_skip(state);
    struct auth_step step;
    login_mechanisms(world->library, &world->settings, &world->arena, &step);
    assert_int_equal(step.result, AUTH_DONE);
    assert_non_null(strstr(step.text.ptr, "CRAM-MD5"));
    assert_non_null(strstr(step.text.ptr, "PLAIN LOGIN"));
    world->settings.security = AUTH_NO_PLAINTEXT;
    login_mechanisms(world->library, &world->settings, &world->arena, &step);
    assert_view_equal(step.text, "CRAM-MD5");
    expect_end(world, "PLAIN", "AGpvZQBzZWNyZXQx", AUTH_REFUSED,
               "encryption needed to use mechanism", "");
    world->settings.security = AUTH_MUTUAL;
    login_mechanisms(world->library, &world->settings, &world->arena, &step);
    assert_int_equal(step.result, AUTH_TROUBLE);
    assert_view_equal(step.text, "no applicable SASL mechanisms");
}

/* One process serves who names one configuration and who names another. */
static void test_other_configuration(void **state)
{
    struct world *world = world_or_skip(state);
    struct auth_step step;
    login_mechanisms(world->library, &world->settings, &world->arena, &step);
    test_write_file(world->dir, "other.conf",
                    "mech_list: PLAIN\nsasldb_path: /nowhere\n");
    world->settings.application = VIEW("other");
    login_mechanisms(world->library, &world->settings, &world->arena, &step);
    assert_view_equal(step.text, "PLAIN");
    expect_end(world, "PLAIN", "AGpvZQBzZWNyZXQx", AUTH_REFUSED,
               "authentication failure", "joe@example.com");
    world->settings.application = VIEW("app");
    expect_end(world, "PLAIN", "AGpvZQBzZWNyZXQx", AUTH_DONE, "", "joe@example.com");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain, enter, leave),
        cmocka_unit_test_setup_teardown(test_notes, enter, leave),
        cmocka_unit_test_setup_teardown(test_login, enter, leave),
        cmocka_unit_test_setup_teardown(test_mechanisms, enter, leave),
        cmocka_unit_test_setup_teardown(test_other_configuration, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
