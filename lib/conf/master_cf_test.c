/* SPDX-License-Identifier: MIT */
#include "conf/master_cf.h"

#include <stdlib.h>
#include <string.h>

#include "testing/test.h"

static const char stock[] =
    "# comment\n"
    "smtp      inet  n       -       y       -       -       smtpd\n"
    "submission inet n       -       n       -       5       smtpd\n"
    "  -o syslog_name=postfix/submission -v\n"
    "# between\n"
    "  -o { smtpd_client_restrictions = permit_mynetworks, reject } -ostress=\n"
    "tlsmgr    unix  -       n       -       1000?   1       tlsmgr\n"
    "qmgr      unix  n       -       n       300     0       qmgr\n"
    "uucp      unix  -       n       n       -       -       pipe\n"
    "  flags=Fqhu user=uucp argv=uux {a  {b} c} {} $nexthop!rmail -o x=y\n"
    "postlog   unix-dgram n  -       n       -       1       postlogd";

static void test_stock(void **state)
{
    (void)state;
    struct master_cf cf;
    struct err err;
    assert_int_equal(master_cf_parse(view_cstr(stock), "m", &cf, &err), OK);
    assert_int_equal(cf.count, 6);
    struct master_entry *e = &cf.entries[0];
    assert_string_equal(e->name, "smtp");
    assert_int_equal(e->type, SERVICE_INET);
    assert_false(e->private_socket);
    assert_true(e->unprivileged && e->chroot);
    assert_int_equal(e->wakeup, 0);
    assert_int_equal(e->max_processes, -1);
    assert_string_equal(e->program, "smtpd");
    assert_null(e->arguments[0]);
    assert_int_equal(e->line, 2);

    e = &cf.entries[1];
    assert_int_equal(e->max_processes, 5);
    assert_int_equal(e->option_count, 3);
    assert_string_equal(e->options[0].value, "postfix/submission");
    assert_string_equal(e->options[1].name, "smtpd_client_restrictions");
    assert_string_equal(e->options[1].value, "permit_mynetworks, reject");
    assert_string_equal(e->options[2].name, "stress");
    assert_string_equal(e->options[2].value, "");
    assert_string_equal(e->arguments[0], "-v");
    assert_null(e->arguments[1]);

    e = &cf.entries[2];
    assert_true(e->private_socket && !e->unprivileged && !e->chroot);
    assert_int_equal(e->wakeup, 1000);
    assert_true(e->wakeup_if_used);
    assert_int_equal(cf.entries[3].wakeup, 300);
    assert_int_equal(cf.entries[3].max_processes, 0);

    e = &cf.entries[4];
    assert_int_equal(e->option_count, 0);
    assert_string_equal(e->arguments[2], "argv=uux");
    assert_string_equal(e->arguments[3], "a  {b} c");
    assert_string_equal(e->arguments[4], "");
    assert_string_equal(e->arguments[6], "-o");
    assert_int_equal(cf.entries[5].type, SERVICE_UNIX_DGRAM);
    assert_string_equal(service_type_name(cf.entries[5].type), "unix-dgram");
    master_cf_done(&cf);
    assert_int_equal(cf.count, 0);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        int line;
    } cases[] = {
        {"smtp inet n - y - smtpd\n", "file F: line 1: bad field count", 1},
        {"\n#\na unix - - - - -\n", "file F: line 3: bad field count", 3},
        {"bad       bogus n       -       y       -  -     smtpd",
         "invalid type field \"bogus\" in \"bad       bogus n       -       y       -  "
         "-     smtpd\"",
         1},
        {"a unix q - - - - p", "invalid private field \"q\" in \"a unix q - - - - p\"",
         1},
        {"a unix - yes - - - p",
         "invalid unprivileged field \"yes\" in \"a unix - yes - - - p\"", 1},
        {"a unix - - Y - - p", "invalid chroot field \"Y\" in \"a unix - - Y - - p\"",
         1},
        {"a unix - - - xx - p",
         "invalid wakeup field \"xx\" in \"a unix - - - xx - p\"", 1},
        {"a unix - - - - -1 p",
         "invalid process_limit field \"-1\" in \"a unix - - - - -1 p\"", 1},
        {"a unix - - - - - p -o {a = b ", "file F: line 1: missing '}' in \"{a = b\"",
         1},
        {"a unix - - - - - p -o {a = b}c",
         "file F: line 1: syntax error after '}' in \"{a = b}c\"", 1},
        {"a unix - - - - - p -o x",
         "file F: line 1: missing '=' after attribute name: \"x\"", 1},
        {"a unix - - - - - p\n -o\n", "file F: line 1: -o requires name=value", 1},
        {"a unix - - - - - p -o {=x}", "file F: line 1: missing attribute name: \"=x\"",
         1},
        {"  a unix - - - - - p\n",
         "file F: line 1: logical line must not start with whitespace", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct master_cf cf;
        struct err err = {0};
        assert_int_equal(master_cf_parse(view_cstr(cases[i].text), "F", &cf, &err),
                         PERMFAIL);
        assert_string_equal(err.text, cases[i].message);
        assert_int_equal(cf.error_line, cases[i].line);
        master_cf_done(&cf);
    }
}

/* "-o{a b}" is "-o {a b}" where options stand, and a word behind them. */
static void test_glued_braces(void **state)
{
    (void)state;
    struct master_cf cf;
    struct err err = {0};
    assert_int_equal(
        master_cf_parse(VIEW("a unix - - - - - p -v -o{x = y z} q -o{r}\n"), "F", &cf,
                        &err),
        OK);
    assert_int_equal(cf.entries[0].option_count, 1);
    assert_string_equal(cf.entries[0].options[0].name, "x");
    assert_string_equal(cf.entries[0].options[0].value, "y z");
    assert_string_equal(cf.entries[0].arguments[0], "-v");
    assert_string_equal(cf.entries[0].arguments[1], "q");
    assert_string_equal(cf.entries[0].arguments[2], "-o{r}");
    assert_null(cf.entries[0].arguments[3]);
    master_cf_done(&cf);
}

static void test_says_what_is_allowed(void **state)
{
    static const char *const rows[][2] = {
        {"a tcp - - - - - p\n", "inet, unix, fifo, pass or unix-dgram"},
        {"a unix q - - - - p\n", "y, n or - for the default"},
        {"a unix - - - x - p\n",
         "a number of seconds, perhaps with a ? behind it, or - for never"},
        {"a unix - - - - x p\n",
         "a number, 0 for no limit, or - for default_process_limit"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct master_cf cf;
        struct err err = {0};
        assert_int_equal(master_cf_parse(view_cstr(rows[i][0]), "F", &cf, &err),
                         PERMFAIL);
        assert_string_equal(cf.allowed, rows[i][1]);
        master_cf_done(&cf);
    }
}

/* Cut anywhere, the text is parsed or refused; memory is freed. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(stock); len++) {
        struct master_cf cf;
        struct err err = {0};
        char *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, stock, len);
        if (master_cf_parse(view_of(copy, len), "F", &cf, &err) != OK) {
            assert_true(err.text[0] != '\0' && cf.error_line > 0);
        }
        master_cf_done(&cf);
        free(copy);
    }
}

static void test_reads_file(void **state)
{
    (void)state;
    char *dir = test_make_dir();
    struct master_cf cf;
    struct err err;
    assert_int_equal(master_cf_read(dir, &cf, &err), TEMPFAIL);
    assert_non_null(strstr(err.text, "master.cf: No such file or directory"));
    master_cf_done(&cf);
    test_write_file(dir, "master.cf", stock);
    assert_int_equal(master_cf_read(dir, &cf, &err), OK);
    assert_int_equal(cf.count, 6);
    master_cf_done(&cf);
    test_remove_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stock),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_glued_braces),
        cmocka_unit_test(test_says_what_is_allowed),
        cmocka_unit_test(test_reads_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
