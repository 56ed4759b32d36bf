/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/progress.h"

enum { SHOWN = 4096 };

/* A terminal in the place of standard error. */
struct terminal {
    int master, saved;
};

static void terminal_open(struct terminal *terminal)
{
    terminal->master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal->master >= 0);
    assert_true(grantpt(terminal->master) == 0 && unlockpt(terminal->master) == 0);
    int slave = open(ptsname(terminal->master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    terminal->saved = dup(STDERR_FILENO);
    assert_true(dup2(slave, STDERR_FILENO) >= 0);
    (void)close(slave);
}

/* What was shown; the terminal is gone then. */
static void terminal_close(struct terminal *terminal, char shown[SHOWN])
{
    (void)fprintf(stderr, "|"); /* there is always something to read */
    (void)fflush(stderr);
    size_t len = 0;
    do {
        ssize_t got = read(terminal->master, shown + len, SHOWN - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
        shown[len] = '\0';
    } while (shown[len - 1] != '|');
    assert_true(dup2(terminal->saved, STDERR_FILENO) >= 0);
    (void)close(terminal->saved);
    (void)close(terminal->master);
}

static void work(struct progress *progress, int64_t since, bool total_known)
{
    progress->started -= since;
    for (uint64_t i = 1; i <= 4096; i++) {
        progress_step(progress, i, total_known ? 8192 : 0);
    }
}

static void test_line(void **state)
{
    (void)state;
    struct terminal terminal;
    struct progress progress;
    char shown[SHOWN];
    terminal_open(&terminal);
    progress_begin(&progress, "entries", true);
    work(&progress, 10 * (int64_t)CLOCK_SECOND, true);
    progress_end(&progress);
    progress_end(&progress);
    terminal_close(&terminal, shown);
    assert_non_null(strstr(shown, "1024 entries, 12%, "));
    assert_non_null(strstr(shown, "s left"));
    /* Five times a second at most, and the line is erased in the end. */
    assert_null(strstr(shown, "2048 entries"));
    assert_non_null(strstr(shown, "\r\033[K|"));
}

static void test_total_unknown(void **state)
{
    (void)state;
    struct terminal terminal;
    struct progress progress;
    char shown[SHOWN];
    terminal_open(&terminal);
    progress_begin(&progress, "entries", true);
    work(&progress, 10 * (int64_t)CLOCK_SECOND, false);
    terminal_close(&terminal, shown);
    assert_non_null(strstr(shown, "1024 entries, "));
    assert_null(strstr(shown, "%"));
}

static void test_silence(void **state)
{
    (void)state;
    struct terminal terminal;
    struct progress progress;
    char shown[SHOWN];
    terminal_open(&terminal);
    progress_begin(&progress, "entries", true); /* done at once */
    work(&progress, 0, true);
    progress_end(&progress);
    progress_begin(&progress, "entries", false); /* not wanted */
    work(&progress, 10 * (int64_t)CLOCK_SECOND, true);
    progress_end(&progress);
    terminal_close(&terminal, shown);
    assert_string_equal(shown, "|");
    progress_begin(&progress, "entries", true);
    assert_true(progress.wanted == (isatty(STDERR_FILENO) != 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_total_unknown),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
