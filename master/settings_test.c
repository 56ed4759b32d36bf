/* SPDX-License-Identifier: MIT */
/* Only what is good from end to end becomes the configuration of workers. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "master/master.h"
#include "sys/file.h"
#include "testing/test.h"

static struct str messages;

static void collect(enum log_level level, const char *text, void *context)
{
    (void)level;
    (void)context;
    str_printf(&messages, "%s\n", text);
}

static struct settings *read_files(const char *main_cf, const char *master_cf)
{
    char *dir = test_make_dir();
    str_clear(&messages);
    test_write_file(dir, "main.cf", main_cf);
    test_write_file(dir, "master.cf", master_cf);
    struct settings *settings = settings_read(dir);
    test_remove_dir(dir);
    return settings;
}

static const char good_service[] = "smtp inet n - n - - smtpd\n";

/* As in a container that has been given one. */
static void leave_one_processor(void)
{
    cpu_set_t all;
    cpu_set_t one;
    int number = 0;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(number, &all)) {
        number++;
    }
    CPU_ZERO(&one);
    CPU_SET(number, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static void test_good(void **state)
{
    (void)state;
    static const char text[] = "myhostname = a.example\nmaillog_file = /var/log/x\n";
    char copy[200] = "";
    leave_one_processor();
    struct settings *settings = read_files(text, good_service);
    assert_non_null(settings);
    assert_int_equal(settings->services.count, 2);
    assert_int_equal(settings->processors, 1);
    assert_int_equal(file_pread_all(settings->snapshot_fd, copy, sizeof(copy) - 1, 0),
                     strlen(text));
    assert_string_equal(copy, text);
    assert_int_equal(write(settings->snapshot_fd, "x", 1), -1);
    settings_free(&settings);
    assert_null(settings);
}

/* Files written for Postfix have no service for logins; who has one has his own. */
static void test_implied_service(void **state)
{
    static const char own[] = "saslauth unix - - n - 3 auth -o auth_timeout=9s\n";
    (void)state;
    struct settings *settings = read_files("auth_service_name = x\n", good_service);
    assert_non_null(settings);
    const struct master_entry *implied = &settings->services.entries[1];
    assert_string_equal(implied->name, "x");
    assert_string_equal(implied->program, "auth");
    assert_int_equal(implied->type, SERVICE_UNIX);
    assert_true(implied->private_socket && implied->unprivileged);
    settings_free(&settings);
    settings = read_files("", own);
    assert_non_null(settings);
    assert_int_equal(settings->services.count, 1);
    assert_int_equal(settings->services.entries[0].max_processes, 3);
    settings_free(&settings);
    assert_null(read_files("auth_service_name = two words\n", good_service));
    assert_non_null(strstr(str_ptr(&messages), "error: auth_service_name: "));
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *main_cf, *master_cf, *message;
    } cases[] = {
        {"garbage\n", good_service, "main.cf, line 1: missing '='"},
        {"\nmessage_size_limit = 10M\n", good_service, "main.cf, line 2: "},
        {"a = $b\nb = $a\nmyhostname = $a\n", good_service, "main.cf, line "},
        {"", "smtp inet n - n - -\n", "master.cf: line 1: bad field count"},
        {"", "smtp inet n - n 60 - smtpd\n",
         "line 1: a service of type inet cannot be woken"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_null(read_files(cases[i].main_cf, cases[i].master_cf));
        assert_non_null(strstr(str_ptr(&messages), cases[i].message));
        assert_non_null(strstr(str_ptr(&messages), "error: "));
    }
}

static void test_environment(void **state)
{
    (void)state;
    struct err err;
    struct conf *conf = conf_open_text("/nowhere",
                                       "import_environment = TZ, TEST_ABSENT, LANG=C, "
                                       "{ WORDS = two words }, MAIL_CONFIG\n",
                                       &err);
    assert_non_null(conf);
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    assert_int_equal(unsetenv("TEST_ABSENT"), 0);
    assert_int_equal(setenv("MAIL_CONFIG", "/elsewhere", 1), 0);
    char **environment = environment_make(conf);
    assert_string_equal(environment[0], "TZ=UTC");
    assert_string_equal(environment[1], "LANG=C");
    assert_string_equal(environment[2], "WORDS=two words");
    assert_null(environment[3]);
    environment_free(&environment);
    conf_free(&conf);
}

static int free_messages(void **state)
{
    (void)state;
    str_done(&messages);
    return 0;
}

int main(void)
{
    log_set_stderr(false);
    log_set_hook(collect, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_implied_service),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests(tests, NULL, free_messages);
}
