/* SPDX-License-Identifier: MIT */
#include "sys/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/file.h"
#include "testing/test.h"

static pid_t start_shell(const char *script, const int *descriptors, size_t count)
{
    char shell[] = "sh";
    char option[] = "-c";
    char *text = xstrdup(script);
    char *argv[] = {shell, option, text, NULL};
    struct child_plan plan = {.path = "/bin/sh",
                              .argv = argv,
                              .descriptors = descriptors,
                              .descriptor_count = count};
    pid_t pid = child_start(&plan);
    free(text);
    return pid;
}

static void read_output(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t len;
    while (used < size - 1 && (len = read(fd, text + used, size - 1 - used)) > 0) {
        used += (size_t)len;
    }
    text[used] = '\0';
}

static void test_gives_the_descriptors_asked_for(void **state)
{
    (void)state;
    int output[2];
    int extra[2];
    char text[200];
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    assert_int_equal(pipe2(extra, O_CLOEXEC), 0);
    int descriptors[6] = {-1, output[1], STDERR_FILENO, extra[1], -1, output[1]};
    pid_t pid =
        start_shell("echo one; echo two >&5; (echo x >&4) 2>/dev/null || echo no;"
                    " echo three >&3; ls /proc/self/fd | wc -l",
                    descriptors, ARRAY_SIZE(descriptors));
    assert_true(pid > 0);
    fd_close(&output[1]);
    fd_close(&extra[1]);
    read_output(output[0], text, sizeof(text));
    /* 0 1 2 3 5 and the directory that ls reads. */
    assert_string_equal(text, "one\ntwo\nno\n6\n");
    read_output(extra[0], text, sizeof(text));
    assert_string_equal(text, "three\n");
    assert_int_equal(child_wait(pid), 0);
    fd_close(&output[0]);
    fd_close(&extra[0]);
}

static void test_says_why_it_cannot_execute(void **state)
{
    (void)state;
    char name[] = "nothing";
    char *argv[] = {name, NULL};
    struct child_plan plan = {.path = "/nonexistent/program", .argv = argv};
    assert_int_equal(child_start(&plan), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_describes_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *script, *text;
    } cases[] = {{"exit 3", "exit status 3"}, {"kill -9 $$", "killed by signal 9"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        STR_AUTO struct str text = {0};
        pid_t pid = start_shell(cases[i].script, NULL, 0);
        child_describe(child_wait(pid), &text);
        assert_string_equal(str_ptr(&text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_the_descriptors_asked_for),
        cmocka_unit_test(test_says_why_it_cannot_execute),
        cmocka_unit_test(test_describes_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
