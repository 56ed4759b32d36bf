/* SPDX-License-Identifier: MIT */
/* Callbacks from the loop: descriptors, signals, timers. */
#include "task/task.h"

#include <signal.h>
#include <unistd.h>

#include "testing/test.h"

static int64_t in_ms(int64_t milliseconds)
{
    return clock_now() + milliseconds * CLOCK_MILLISECOND;
}

static int set_up(void **state)
{
    (void)state;
    task_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    task_done();
    return 0;
}

struct counter {
    int fd;
    int calls;
    int most;
    struct task_watch *watch;
    struct task_timer timer;
};

static void count_and_stop(void *context)
{
    struct counter *c = context;
    assert_null(task_current());
    c->calls++;
    if (c->calls >= c->most) {
        task_stop();
    }
}

static void count_and_free(void *context)
{
    struct counter *c = context;
    c->calls++;
    task_watch_free(&c->watch);
    task_stop();
}

static void run_for_ms(int milliseconds)
{
    struct task_timer timer;
    task_timer_init(&timer, count_and_stop, &(struct counter){.most = 0});
    task_timer_set(&timer, in_ms(milliseconds));
    task_run(false);
    task_timer_done(&timer);
}

static void test_watch_fd(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct counter c = {.most = 3};
    c.watch = task_watch_fd(fds[0], TASK_READ, count_and_stop, &c);
    run_for_ms(2);
    assert_int_equal(c.calls, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    task_run(false); /* level-triggered: called again and again */
    assert_int_equal(c.calls, 3);
    task_watch_pause(c.watch, true);
    task_watch_pause(c.watch, true);
    c.calls = 0;
    run_for_ms(2);
    assert_int_equal(c.calls, 0);
    task_watch_pause(c.watch, false);
    task_run(false);
    assert_int_equal(c.calls, 3);
    task_watch_free(&c.watch);
    assert_null(c.watch);
    task_watch_free(&c.watch);
    c = (struct counter){.fd = fds[0]};
    c.watch = task_watch_fd(fds[1], TASK_WRITE, count_and_free, &c);
    task_run(false);
    run_for_ms(2);
    assert_int_equal(c.calls, 1);
    assert_null(c.watch);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_watch_signal(void **state)
{
    (void)state;
    struct counter c = {.most = 1};
    c.watch = task_watch_signal(SIGUSR1, count_and_stop, &c);
    assert_int_equal(raise(SIGUSR1), 0);
    task_run(false);
    assert_int_equal(c.calls, 1);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    task_run(false);
    assert_int_equal(c.calls, 2);
    task_watch_free(&c.watch);
    c.watch = task_watch_signal(SIGUSR1, count_and_free, &c);
    assert_int_equal(raise(SIGUSR1), 0);
    task_run(false);
    assert_int_equal(c.calls, 3);
}

static void set_again(void *context)
{
    struct counter *c = context;
    if (++c->calls < c->most) {
        task_timer_set(&c->timer, in_ms(1));
    } else {
        task_stop();
    }
}

struct timed {
    struct task_timer timer;
    int64_t deadline;
    int64_t fired;
};

static void note_time(void *context)
{
    struct timed *t = context;
    t->fired = clock_now();
    task_timer_done(&t->timer);
}

static void test_timers(void **state)
{
    (void)state;
    struct counter c = {.most = 4};
    task_timer_init(&c.timer, set_again, &c);
    task_timer_clear(&c.timer); /* never set */
    task_timer_set(&c.timer, 0);
    task_run(false);
    assert_int_equal(c.calls, 4);
    task_timer_set(&c.timer, in_ms(1));
    task_timer_clear(&c.timer);
    run_for_ms(4);
    task_timer_set(&c.timer, CLOCK_NEVER);
    run_for_ms(1);
    assert_int_equal(c.calls, 4);
    task_timer_set(&c.timer, in_ms(60000));
    task_timer_set(&c.timer, in_ms(1)); /* replaces */
    task_run(false);
    assert_int_equal(c.calls, 5);
    task_timer_done(&c.timer);

    struct timed timed[20];
    for (int i = 0; i < 20; i++) {
        timed[i].fired = 0;
        timed[i].deadline = clock_now() + (int64_t)i * 701;
        task_timer_init(&timed[i].timer, note_time, &timed[i]);
        task_timer_set(&timed[i].timer, timed[i].deadline);
    }
    run_for_ms(40);
    for (int i = 0; i < 20; i++) {
        assert_true(timed[i].fired >= timed[i].deadline);
    }
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void spawn_from_loop(void *context)
{
    (void)task_spawn("from a timer", set_flag, context);
}

/* A fiber holds the loop until the timer has spawned another. */
static void sleep_a_little(void *context)
{
    (void)context;
    (void)task_sleep_until(in_ms(5));
}

static void test_spawn_from_callback(void **state)
{
    (void)state;
    bool ran = false;
    struct task_timer timer;
    task_timer_init(&timer, spawn_from_loop, &ran);
    task_timer_set(&timer, in_ms(1));
    (void)task_spawn("sleeper", sleep_a_little, NULL);
    task_run(true);
    assert_true(ran);
    task_timer_done(&timer);
}

static void test_stop_before_run(void **state)
{
    (void)state;
    task_stop();
    task_run(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_watch_fd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_watch_signal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spawn_from_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_before_run, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
