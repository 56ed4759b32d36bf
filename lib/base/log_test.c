/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

/* What one call writes to the log's descriptor. */
static int log_pipe[2];

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(pipe(log_pipe), 0);
    log_set_stderr(false);
    log_set_tag("postfix/test");
    log_set_host("mail.example.com");
    log_set_fd(log_pipe[1]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_set_fd(-1);
    log_set_number(NULL);
    (void)close(log_pipe[0]);
    (void)close(log_pipe[1]);
    return 0;
}

static const char *read_line(char line[4096])
{
    ssize_t n = read(log_pipe[0], line, 4095);
    assert_true(n > 0);
    line[n] = '\0';
    return line;
}

static const char *text_of(char line[4096])
{
    const char *text = strstr(read_line(line), "]: ");
    assert_non_null(text);
    return text + 3;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regexec(&regex, text, 0, NULL, 0), 0);
    regfree(&regex);
}

static uint64_t session_number(void)
{
    return 4294967299;
}

static void test_line_format(void **state)
{
    (void)state;
    char line[4096];
    log_info("307D1A90021: removed");
    assert_matches(read_line(line),
                   "^[A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8} mail "
                   "postfix/test\\[[0-9]+\\]: 307D1A90021: removed\n$");
    log_set_number(session_number);
    log_info("x");
    assert_non_null(strstr(read_line(line), "postfix/test[4294967299]: x\n"));
}

static void test_severities(void **state)
{
    (void)state;
    char line[4096];
    log_warning("a");
    assert_string_equal(text_of(line), "warning: a\n");
    log_error("a");
    assert_string_equal(text_of(line), "error: a\n");
    log_at(LOG_LEVEL_FATAL, "%s", "a");
    assert_string_equal(text_of(line), "fatal: a\n");
    log_debug("hidden");
    log_set_verbose(1);
    assert_int_equal(log_verbose(), 1);
    log_debug("shown");
    log_set_verbose(0);
    assert_string_equal(text_of(line), "shown\n");
}

static void test_control_characters(void **state)
{
    (void)state;
    char line[4096];
    log_info("a\nb\rc\td\x01\x1b[1m\x7f");
    assert_string_equal(text_of(line), "a?b?c?d??[1m?\n");
    log_info("caf\xc3\xa9 \xe9 \xc2\x9b[1m \xc2\xa0 \xf0\x9f\x98\x80 \xc3");
    assert_string_equal(text_of(line),
                        "caf\xc3\xa9 ? ??[1m \xc2\xa0 \xf0\x9f\x98\x80 ?\n");
}

static void test_long_text(void **state)
{
    (void)state;
    char line[4096];
    char text[5000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_info("%s", text);
    const char *written = text_of(line);
    assert_int_equal(strlen(written), 2000);
    assert_true(strchr(written, '\n') == written + 1999);
    log_format_line(line, 40, "host", "tag", 1, text);
    assert_int_equal(strlen(line), 39);
    assert_true(line[38] == '\n');
}

static void test_errno(void **state)
{
    (void)state;
    char line[4096];
    errno = EACCES;
    log_warning("open: %m");
    assert_int_equal(errno, EACCES);
    assert_string_equal(text_of(line), "warning: open: Permission denied\n");
    log_set_fd(9999); /* cannot be written: nothing happens */
    log_info("lost");
    assert_int_equal(errno, EACCES);
}

static void remember(enum log_level level, const char *text, void *context)
{
    (void)snprintf(context, 100, "%d %s", (int)level, text);
}

static void test_hook(void **state)
{
    (void)state;
    char seen[100] = "";
    log_set_hook(remember, seen);
    log_warning("look");
    log_set_hook(NULL, NULL);
    assert_string_equal(seen, "1 warning: look");
}

/* Runs ACT in a child whose standard error is read into TEXT; its wait status. */
static int run_child(void (*act)(void), char text[4096])
{
    int fds[2];
    int status = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        log_init("prog");
        log_set_fd(-1);
        log_set_stderr(true);
        act();
        _exit(99);
    }
    (void)close(fds[1]);
    size_t len = 0;
    ssize_t n = 0;
    while ((n = read(fds[0], text + len, 4095 - len)) > 0) {
        len += (size_t)n;
    }
    text[len] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void be_fatal(void)
{
    log_fatal("no %s", "way");
}

static void be_fatal_with_status(void)
{
    log_fatal_status(75, "later");
}

static void fail_check(void)
{
    (void)signal(SIGABRT, SIG_DFL);
    CHECK(1 + 1 == 3);
}

static void give_hint(void)
{
    log_hint("not a terminal");
    log_info("done");
}

static void test_fatal(void **state)
{
    (void)state;
    char text[4096];
    int status = run_child(be_fatal, text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_string_equal(text, "prog: fatal: no way\n");
    status = run_child(be_fatal_with_status, text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 75);
    status = run_child(fail_check, text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "prog: panic: "));
    assert_non_null(strstr(text, "fail_check: check failed: 1 + 1 == 3\n"));
    (void)run_child(give_hint, text);
    assert_string_equal(text, "prog: done\n");
}

static void test_facilities(void **state)
{
    (void)state;
    assert_true(log_set_syslog("mail") && log_set_syslog("local7"));
    assert_false(log_set_syslog("nosuch"));
    assert_false(log_set_syslog(""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_line_format),
        TEST(test_severities),
        TEST(test_control_characters),
        TEST(test_long_text),
        TEST(test_errno),
        TEST(test_hook),
        TEST(test_fatal),
        cmocka_unit_test(test_facilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
