/* SPDX-License-Identifier: MIT */
/* Functions on pool threads. */
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "testing/test.h"

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

struct call {
    pid_t thread;
    bool usr1_blocked;
    bool done;
    pthread_barrier_t *barrier;
    struct fiber *fiber;
};

static void look_around(void *context)
{
    struct call *call = context;
    sigset_t blocked;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    call->usr1_blocked = sigismember(&blocked, SIGUSR1) == 1;
    call->thread = gettid();
    if (call->barrier != NULL) {
        (void)pthread_barrier_wait(call->barrier);
    }
    call->done = true;
}

static void offload_one(void *context)
{
    struct call *call = context;
    errno = ENOTTY;
    task_offload(look_around, call);
    assert_true(call->done);
    assert_int_equal(errno, ENOTTY);
}

static void test_other_thread(void **state)
{
    (void)state;
    struct call call = {.thread = 0};
    sigset_t blocked;
    (void)task_spawn("caller", offload_one, &call);
    task_run(true);
    assert_int_not_equal(call.thread, gettid());
    assert_true(call.usr1_blocked);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    assert_int_equal(sigismember(&blocked, SIGUSR1), 0);
}

static void test_in_place_outside_fibers(void **state)
{
    (void)state;
    struct call call = {.thread = 0};
    task_offload(look_around, &call);
    assert_int_equal(call.thread, gettid());
}

/* A call that is made while another one runs does not wait for its end. */
static void offload_in_turn(void *context)
{
    struct call *calls = context;
    (void)task_spawn("caller", offload_one, &calls[0]);
    (void)task_sleep_until(clock_now() + CLOCK_MILLISECOND);
    (void)task_spawn("caller", offload_one, &calls[1]);
}

static void test_calls_overlap(void **state)
{
    (void)state;
    enum { TOGETHER = 2 };
    pthread_barrier_t barrier;
    struct call calls[TOGETHER] = {{.thread = 0}};
    assert_int_equal(pthread_barrier_init(&barrier, NULL, TOGETHER), 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TOGETHER; i++) {
            calls[i] = (struct call){.barrier = &barrier};
        }
        (void)task_spawn("starter", offload_in_turn, calls);
        task_run(true);
    }
    (void)pthread_barrier_destroy(&barrier);
}

static void offload_often(void *context)
{
    for (int i = 0; i < 20; i++) {
        struct call call = {.thread = 0};
        task_offload(look_around, &call);
        assert_true(call.done);
        (*(int *)context)++;
    }
}

static void test_many_calls(void **state)
{
    (void)state;
    int ended = 0;
    for (int i = 0; i < 200; i++) {
        (void)task_spawn("caller", offload_often, &ended);
    }
    task_run(true);
    assert_int_equal(ended, 200 * 20);
}

static void take_time(void *context)
{
    struct call *call = context;
    (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    call->done = true;
}

static void offload_slow(void *context)
{
    struct call *call = context;
    task_offload(take_time, call);
    assert_true(call->done && task_cancelled());
    assert_int_equal(task_sleep_until(CLOCK_NEVER), TASK_CANCELLED);
    /* Clean-up of a cancelled fiber can still offload. */
    call->done = false;
    task_offload(take_time, call);
    assert_true(call->done);
}

static void cancel_it(void *context)
{
    (void)task_sleep_until(clock_now() + 2 * CLOCK_MILLISECOND);
    task_cancel(context);
}

static void test_not_cancelled(void **state)
{
    (void)state;
    struct call call = {.thread = 0};
    (void)task_spawn("canceller", cancel_it, task_spawn("caller", offload_slow, &call));
    task_run(true);
}

static void sync_files(void *context)
{
    int fd = *(int *)context;
    assert_true(task_fsync(fd));
    errno = 0;
    assert_false(task_fsync(-1));
    assert_int_equal(errno, EBADF);
}

static void test_fsync(void **state)
{
    (void)state;
    char *dir = test_make_dir();
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    sync_files(&fd);
    (void)task_spawn("syncer", sync_files, &fd);
    task_run(true);
    (void)close(fd);
    test_remove_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_other_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_place_outside_fibers, set_up,
                                        tear_down),
        cmocka_unit_test(test_in_place_outside_fibers),
        cmocka_unit_test_setup_teardown(test_calls_overlap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_cancelled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fsync, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
