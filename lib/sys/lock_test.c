/* SPDX-License-Identifier: MIT */
#include "sys/lock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/file.h"
#include "testing/test.h"

static char *directory;

static pid_t hold_lock(const char *path)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = lock_file_open(path, 0600, NULL);
        if (fd < 0 || !lock_file_write_pid(fd) || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    fd_close(&ready[0]);
    fd_close(&ready[1]);
    return pid;
}

static void test_lock_not_file_tells(void **state)
{
    (void)state;
    struct err err = {0};
    char *path = xasprintf("%s/pid", directory);
    assert_int_equal(lock_file_holder(path), 0);
    pid_t pid = hold_lock(path);
    assert_int_equal(lock_file_holder(path), pid);
    assert_int_equal(lock_file_open(path, 0600, &err), -1);
    assert_int_equal(err.code, EAGAIN);
    assert_non_null(strstr(err.text, "unable to set exclusive lock"));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(lock_file_holder(path), 0);
    int fd = lock_file_open(path, 0600, &err);
    assert_true(fd >= 0);
    fd_close(&fd);
    free(path);
}

static int set_up(void **state)
{
    (void)state;
    directory = test_make_dir();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_remove_dir(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lock_not_file_tells)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
