/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "auth/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

struct place {
    char *dir, *path; /* PATH: "/nowhere:DIR" */
};

static int enter(void **state)
{
    struct place *place = xcalloc(1, sizeof(*place));
    place->dir = test_make_dir();
    place->path = xasprintf("/nowhere:%s", place->dir);
    *state = place;
    return 0;
}

static int leave(void **state)
{
    struct place *place = *state;
    test_remove_dir(place->dir);
    free(place->path);
    free(place);
    return 0;
}

static void find(const struct place *place, const char *text, struct auth_files *files)
{
    test_write_file(place->dir, "app.conf", text);
    auth_files_find(files, view_cstr(place->path), VIEW("app"), place->dir);
}

static void test_defaults(void **state)
{
    const struct place *place = *state;
    struct auth_files files;
    auth_files_find(&files, view_cstr(place->path), VIEW("app"), place->dir);
    assert_null(files.config);
    assert_true(files.use_sasldb && !files.use_saslauthd);
    assert_string_equal(files.sasldb_named, "/etc/sasldb2");
    assert_string_equal(files.saslauthd_named, "/var/run/saslauthd/mux");
    assert_false(auth_files_changed(&files));
    auth_files_done(&files);
}

static void test_options(void **state)
{
    static const struct {
        const char *text;
        bool sasldb, saslauthd;
    } rows[] = {
        {"pwcheck_method: saslauthd\n", false, true},
        {"pwcheck_method: auxprop saslauthd", true, true},
        {"# pwcheck_method: saslauthd\n", true, false},
        {"pwcheck_method : auxprop\nauxprop_plugin: sql\n", false, false},
        {"auxprop_plugin: sql sasldb\n", true, false},
        {"pwcheck_method: saslauthd\npwcheck_method: auxprop\n", true, false},
    };
    const struct place *place = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct auth_files files;
        find(place, rows[i].text, &files);
        assert_non_null(files.config);
        assert_int_equal(files.use_sasldb, rows[i].sasldb);
        assert_int_equal(files.use_saslauthd, rows[i].saslauthd);
        auth_files_done(&files);
    }
}

static void test_changed(void **state)
{
    const struct place *place = *state;
    struct auth_files files;
    find(place, "mech_list: PLAIN\n", &files);
    assert_false(auth_files_changed(&files));
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, files.config, times, 0), 0);
    assert_true(auth_files_changed(&files));
    auth_files_done(&files);
}

/* A file that is only there below the queue directory is taken from there. */
static void test_below_queue(void **state)
{
    const struct place *place = *state;
    struct auth_files files;
    char *expected = xasprintf("%s/no-such-db", place->dir);
    test_write_file(place->dir, "no-such-db", "");
    find(place, "sasldb_path: /no-such-db\n", &files);
    assert_string_equal(files.sasldb, expected);
    assert_string_equal(files.sasldb_named, "/no-such-db");
    auth_files_done(&files);
    free(expected);
}

static void test_diagnosis(void **state)
{
    const struct place *place = *state;
    struct auth_files files;
    STR_AUTO struct str text = {0};
    STR_AUTO struct str out = {0};
    test_write_file(place->dir, "db", "");
    str_printf(&text,
               "pwcheck_method: auxprop saslauthd\nsasldb_path: %s/db\n"
               "saslauthd_path: %s/mux\n",
               place->dir, place->dir);
    find(place, str_ptr(&text), &files);
    auth_files_diagnose(&files, &out);
    assert_non_null(strstr(str_ptr(&out), "/mux (no such file); remedy: start it"));
    assert_null(strstr(str_ptr(&out), "/db"));
    assert_int_equal(unlink(files.sasldb), 0);
    str_clear(&out);
    auth_files_diagnose(&files, &out);
    assert_non_null(
        strstr(str_ptr(&out), "/db does not exist; remedy: make users with"));
    auth_files_done(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, enter, leave),
        cmocka_unit_test_setup_teardown(test_options, enter, leave),
        cmocka_unit_test_setup_teardown(test_changed, enter, leave),
        cmocka_unit_test_setup_teardown(test_below_queue, enter, leave),
        cmocka_unit_test_setup_teardown(test_diagnosis, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
