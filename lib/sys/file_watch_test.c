/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/clock.h"
#include "sys/file_watch.h"

struct fixture {
    char *dir;
    struct file_watch *watch;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->dir = test_make_dir();
    f->watch = file_watch_new();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    file_watch_free(&f->watch);
    test_remove_dir(f->dir);
    free(f);
    return 0;
}

static char *path_of(const struct fixture *f, const char *name)
{
    return xasprintf("%s/%s", f->dir, name);
}

static void add(struct fixture *f, const char *name)
{
    char *path = path_of(f, name);
    file_watch_add(f->watch, path);
    free(path);
}

static void link_to(const struct fixture *f, const char *target, const char *name)
{
    char *path = path_of(f, name);
    char *temporary = path_of(f, "temporary");
    assert_int_equal(symlink(target, temporary), 0);
    assert_int_equal(rename(temporary, path), 0);
    free(path);
    free(temporary);
}

/* At most three seconds; the answer comes a second after the change. */
static bool changes(struct fixture *f)
{
    for (int i = 0; i < 300; i++) {
        if (file_watch_changed(f->watch)) {
            return true;
        }
        (void)usleep(10000);
    }
    return false;
}

static bool has_news(const struct fixture *f)
{
    struct pollfd poll_in = {.fd = file_watch_fd(f->watch), .events = POLLIN};
    return poll(&poll_in, 1, 0) == 1;
}

static void test_replaced(void **state)
{
    struct fixture *f = *state;
    test_write_file(f->dir, "cert", "1");
    add(f, "cert");
    test_write_file(f->dir, "other", "x");
    assert_false(file_watch_changed(f->watch));
    assert_false(has_news(f));
    char *from = path_of(f, "other");
    char *to = path_of(f, "cert");
    assert_int_equal(rename(from, to), 0);
    assert_true(has_news(f));
    /* Not at once: the key may be about to follow. */
    assert_false(file_watch_changed(f->watch));
    assert_true(changes(f));
    free(from);
    free(to);
}

static void test_written_in_place(void **state)
{
    struct fixture *f = *state;
    test_write_file(f->dir, "cert", "1");
    add(f, "cert");
    test_write_file(f->dir, "cert", "22");
    assert_true(changes(f));
}

static void test_not_there_yet(void **state)
{
    struct fixture *f = *state;
    add(f, "cert");
    assert_false(file_watch_changed(f->watch));
    test_write_file(f->dir, "cert", "1");
    assert_true(changes(f));
}

/* As certbot does: live/cert.pem points into archive/. */
static void test_link_replaced(void **state)
{
    struct fixture *f = *state;
    test_write_file(f->dir, "cert1", "1");
    test_write_file(f->dir, "cert2", "2");
    link_to(f, "cert1", "cert");
    add(f, "cert");
    link_to(f, "cert2", "cert");
    assert_true(changes(f));
}

/* As Kubernetes does: the directory on the way is the link that changes. */
static void test_link_on_the_way(void **state)
{
    struct fixture *f = *state;
    char *one = path_of(f, "v1");
    char *two = path_of(f, "v2");
    assert_int_equal(mkdir(one, 0700), 0);
    assert_int_equal(mkdir(two, 0700), 0);
    test_write_file(one, "cert", "1");
    test_write_file(two, "cert", "2");
    link_to(f, "v1", "data");
    link_to(f, "data/cert", "cert");
    add(f, "cert");
    assert_false(file_watch_changed(f->watch));
    link_to(f, "v2", "data");
    assert_true(changes(f));
    free(one);
    free(two);
}

static void test_endless_link(void **state)
{
    struct fixture *f = *state;
    link_to(f, "b", "a");
    link_to(f, "a", "b");
    add(f, "a"); /* comes back */
    assert_false(file_watch_changed(f->watch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_written_in_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_there_yet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_link_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_link_on_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_endless_link, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
