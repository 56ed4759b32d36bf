/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/clock.h"
#include "sys/file.h"

struct fixture {
    char *dir;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->dir = test_make_dir();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    test_remove_dir(f->dir);
    free(f);
    return 0;
}

static const char *path_of(const struct fixture *f, const char *name)
{
    static char path[500]; /* of the last call */
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return path;
}

static void assert_content(const char *path, const char *text)
{
    STR_AUTO struct str content = {0};
    struct err err;
    assert_int_equal(file_read(path, 1000000, &content, &err), OK);
    assert_string_equal(str_ptr(&content), text);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static size_t entries_in(const char *dir)
{
    DIR *d = opendir(dir);
    size_t count = 0;
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        count += e->d_name[0] != '.';
    }
    (void)closedir(d);
    return count;
}

static void test_replace_new(void **state)
{
    struct fixture *f = *state;
    mode_t mask = umask(077);
    const char *path = path_of(f, "new");
    assert_int_equal(file_replace(path, VIEW("one\n"), 0644, &f->err), OK);
    (void)umask(mask);
    assert_content(path, "one\n");
    assert_int_equal(mode_of(path), 0644);
    assert_int_equal(file_replace(path, VIEW(""), 0600, &f->err), OK);
    assert_content(path, "");
    assert_int_equal(mode_of(path), 0644); /* of the file that was there */
    assert_int_equal(entries_in(f->dir), 1);
}

/* Whoever has the old file open keeps it whole: it is another file. */
static void test_replace_is_atomic(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    char bytes[10];
    test_write_file(f->dir, "file", "old");
    const char *path = path_of(f, "file");
    assert_int_equal(chmod(path, 0640), 0);
    FD_AUTO int reader = open(path, O_RDONLY);
    assert_int_equal(fstat(reader, &before), 0);
    assert_int_equal(file_replace(path, VIEW("new"), 0600, &f->err), OK);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(file_pread_all(reader, bytes, sizeof(bytes), 0), 3);
    assert_memory_equal(bytes, "old", 3);
    assert_content(path, "new");
    assert_int_equal(mode_of(path), 0640);
}

static void test_replace_fails(void **state)
{
    struct fixture *f = *state;
    const char *path = path_of(f, "no/such/dir");
    assert_int_equal(file_replace(path, VIEW("x"), 0600, &f->err), TEMPFAIL);
    assert_int_equal(f->err.code, ENOENT);
    path = path_of(f, "dir");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_replace(path, VIEW("x"), 0600, &f->err), TEMPFAIL);
    assert_int_equal(entries_in(f->dir), 1); /* the temporary file is gone */
}

/* A name that somebody prepared is not written through. */
static void test_replace_ignores_link(void **state)
{
    struct fixture *f = *state;
    char *temporary = xasprintf("%s/file.tmp%ld", f->dir, (long)getpid());
    test_write_file(f->dir, "victim", "mine");
    assert_int_equal(symlink("victim", temporary), 0);
    assert_int_equal(file_replace(path_of(f, "file"), VIEW("x"), 0600, &f->err), OK);
    assert_content(path_of(f, "victim"), "mine");
    assert_content(path_of(f, "file"), "x");
    free(temporary);
}

static void test_read(void **state)
{
    struct fixture *f = *state;
    STR_AUTO struct str text = {0};
    test_write_file(f->dir, "file", "12345");
    str_add_cstr(&text, "0");
    assert_int_equal(file_read(path_of(f, "file"), 5, &text, &f->err), OK);
    assert_string_equal(str_ptr(&text), "012345");
    assert_int_equal(file_read(path_of(f, "file"), 4, &text, &f->err), PERMFAIL);
    assert_int_equal(file_read(path_of(f, "none"), 4, &text, &f->err), TEMPFAIL);
    assert_int_equal(f->err.code, ENOENT);
    assert_int_equal(file_read(f->dir, 4, &text, &f->err), PERMFAIL);
    const char *fifo = path_of(f, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(file_read(fifo, 4, &text, &f->err), PERMFAIL);
}

static void test_read_large(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 200001 };
    char *bytes = xmalloc(SIZE + 1);
    memset(bytes, 'x', SIZE);
    bytes[SIZE] = '\0';
    test_write_file(f->dir, "file", bytes);
    assert_content(path_of(f, "file"), bytes);
    free(bytes);
}

static void test_write_at(void **state)
{
    struct fixture *f = *state;
    char bytes[16] = {0};
    FD_AUTO int fd = open(path_of(f, "file"), O_RDWR | O_CREAT, 0600);
    assert_true(file_write_all(fd, "abcdef", 6));
    assert_true(file_pwrite_all(fd, "XY", 2, 2));
    assert_int_equal(file_pread_all(fd, bytes, sizeof(bytes), 1), 5);
    assert_string_equal(bytes, "bXYef");
    assert_int_equal(file_pread_all(fd, bytes, 2, 100), 0);
    assert_false(file_write_all(-1, "x", 1));
    assert_int_equal(file_pread_all(-1, bytes, 1, 0), -1);
}

static void test_make_dirs(void **state)
{
    struct fixture *f = *state;
    assert_true(file_make_dirs(path_of(f, "a//b/c/"), 0700));
    assert_int_equal(mode_of(path_of(f, "a/b/c")), 0700);
    assert_true(file_make_dirs(path_of(f, "a/b/c"), 0700));
    assert_true(file_make_dirs("/", 0700));
    test_write_file(f->dir, "file", "");
    assert_false(file_make_dirs(path_of(f, "file"), 0700));
    assert_int_equal(errno, ENOTDIR);
    assert_false(file_make_dirs(path_of(f, "file/x"), 0700));
}

static void test_flags(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_true(fd_set_nonblocking(fds[0], true));
    assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    assert_true(fd_set_nonblocking(fds[0], false));
    assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) == 0);
    assert_true(fd_set_cloexec(fds[0], true) && fd_set_cloexec(fds[0], true));
    assert_true((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
    errno = ENOSPC;
    fd_close(&fds[0]);
    assert_int_equal(fds[0], -1);
    assert_int_equal(errno, ENOSPC);
    fd_close(&fds[0]);
    assert_false(fd_set_nonblocking(fds[0], true));
    fd_close(&fds[1]);
}

/* Lock PATH in a child; its answer: 0 locked, 1 busy, 2 trouble. */
static int lock_in_child(const char *path, bool wait)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fd = open(path, O_RDWR);
        _exit(file_lock(fd, wait) ? 0 : errno == EAGAIN ? 1 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static void test_lock(void **state)
{
    struct fixture *f = *state;
    test_write_file(f->dir, "file", "");
    const char *path = path_of(f, "file");
    FD_AUTO int fd = open(path, O_RDWR);
    assert_true(file_lock(fd, false));
    assert_int_equal(lock_in_child(path, false), 1);
    fd_close(&fd);
    assert_int_equal(lock_in_child(path, false), 0);
    assert_int_equal(lock_in_child(path, true), 0);
    FD_AUTO int reader = open(path, O_RDONLY);
    assert_false(file_lock(reader, false));
    assert_int_equal(errno, EBADF);
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t first = clock_now();
    assert_true(clock_now() >= first);
    assert_true(clock_wall() > (int64_t)1500000000 * CLOCK_SECOND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replace_new),   TEST(test_replace_is_atomic),
        TEST(test_replace_fails), TEST(test_replace_ignores_link),
        TEST(test_read),          TEST(test_read_large),
        TEST(test_write_at),      TEST(test_make_dirs),
        TEST(test_flags),         TEST(test_lock),
        TEST(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
