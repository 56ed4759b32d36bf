/* SPDX-License-Identifier: MIT */
/* Fibers, deadlines, cancellation, conditions. */
#include "task/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
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

static int64_t in_ms(int64_t milliseconds)
{
    return clock_now() + milliseconds * CLOCK_MILLISECOND;
}

/* --- switching --- */

struct trace {
    char text[64];
    size_t len;
};

struct tracer {
    struct trace *trace;
    char letter;
    int steps;
};

static void trace_steps(void *context)
{
    struct tracer *t = context;
    for (int i = 0; i < t->steps; i++) {
        t->trace->text[t->trace->len++] = t->letter;
        task_yield();
    }
}

static void test_yield_takes_turns(void **state)
{
    (void)state;
    struct trace trace = {.len = 0};
    struct tracer a = {&trace, 'a', 3};
    struct tracer b = {&trace, 'b', 2};
    struct tracer c = {&trace, 'c', 1};
    assert_null(task_current());
    (void)task_spawn("a", trace_steps, &a);
    (void)task_spawn("b", trace_steps, &b);
    (void)task_spawn("c", trace_steps, &c);
    assert_int_equal(task_fiber_count(), 3);
    assert_int_equal(trace.len, 0);
    task_run(true);
    assert_string_equal(trace.text, "abcaba");
    assert_int_equal(task_fiber_count(), 0);
}

static void spawn_child(void *context)
{
    struct tracer *t = context;
    assert_non_null(task_current());
    (void)task_spawn("child", trace_steps, t);
    assert_int_equal(t->trace->len, 0); /* it has not run yet */
    task_yield();
    assert_int_equal(t->trace->len, 1);
}

static void test_spawn_from_fiber(void **state)
{
    (void)state;
    struct trace trace = {.len = 0};
    struct tracer child = {&trace, 'x', 1};
    (void)task_spawn("parent", spawn_child, &child);
    task_run(true);
    assert_string_equal(trace.text, "x");
}

/* The rounding mode, without the mathematics library. */
#if defined(__x86_64__)
static unsigned rounding(void)
{
    return __builtin_ia32_stmxcsr() >> 13 & 3;
}

static void set_rounding(unsigned mode)
{
    __builtin_ia32_ldmxcsr((__builtin_ia32_stmxcsr() & ~(3U << 13)) | mode << 13);
}
#else
static unsigned rounding(void)
{
    return 0;
}

static void set_rounding(unsigned mode)
{
    (void)mode;
}
#endif

/* Callee-saved registers, the stack's content, errno and the rounding mode. */
static void keep_everything(void *context)
{
    unsigned seed = *(unsigned *)context;
    unsigned long v[8];
    for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
        v[i] = seed * 1000 + i;
    }
    double d = seed * 1.5;
    set_rounding(seed % 4);
    unsigned mode = rounding();
    for (int round = 0; round < 50; round++) {
        errno = (int)seed + round;
        task_yield();
        assert_int_equal(errno, (int)seed + round);
        assert_int_equal(task_sleep_until(0), TASK_TIMEOUT);
        assert_int_equal(errno, (int)seed + round);
        assert_int_equal(rounding(), mode);
    }
    for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
        assert_int_equal(v[i], seed * 1000 + i);
    }
    assert_true(d == seed * 1.5);
}

static void test_switch_keeps_state(void **state)
{
    (void)state;
    unsigned seeds[20];
    unsigned mode = rounding();
    for (unsigned i = 0; i < ARRAY_SIZE(seeds); i++) {
        seeds[i] = i + 1;
        (void)task_spawn("keeper", keep_everything, &seeds[i]);
    }
    task_run(true);
    assert_int_equal(rounding(), mode);
}

/* --- log numbers --- */

static void number_child(void *context)
{
    *(uint64_t *)context = task_log_number();
}

static void number_parent(void *context)
{
    assert_int_equal(task_log_number(), 7); /* from outside fibers */
    task_set_log_number(42);
    task_yield();
    assert_int_equal(task_log_number(), 42);
    (void)task_spawn("child", number_child, context);
    task_set_log_number(43);
}

static void test_log_numbers(void **state)
{
    (void)state;
    uint64_t child = 0;
    assert_int_equal(task_log_number(), 0);
    task_set_log_number(7);
    (void)task_spawn("parent", number_parent, &child);
    task_run(true);
    assert_int_equal(child, 42);
    assert_int_equal(task_log_number(), 7);
    task_set_log_number(0);
}

/* --- many --- */

enum { MANY = 10000 };

static void wait_for_cond(void *context)
{
    assert_int_equal(task_cond_wait(context, clock_now() + 300LL * CLOCK_SECOND),
                     TASK_READY);
}

static void wake_many(void *context)
{
    task_yield();
    assert_int_equal(task_fiber_count(), MANY + 1);
    task_cond_broadcast(context);
}

static void test_many_parked(void **state)
{
    (void)state;
    struct task_cond cond;
    task_cond_init(&cond);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            (void)task_spawn("waiter", wait_for_cond, &cond);
        }
        (void)task_spawn("waker", wake_many, &cond);
        task_run(true);
        assert_int_equal(task_fiber_count(), 0);
    }
}

/* --- deadlines --- */

static void sleep_some(void *context)
{
    int64_t start = clock_now();
    int64_t deadline = start + *(int64_t *)context;
    assert_int_equal(task_sleep_until(deadline), TASK_TIMEOUT);
    assert_true(clock_now() >= deadline);
    *(int64_t *)context = clock_now() - deadline;
}

static void test_sleep_is_never_early(void **state)
{
    (void)state;
    int64_t times[] = {-5000, 0, 1, 500, 3000, 20000, 20001, 35000};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        (void)task_spawn("sleeper", sleep_some, &times[i]);
    }
    task_run(true);
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        assert_true(times[i] < CLOCK_SECOND || i == 0); /* late by less than a second */
    }
}

/* A far deadline, then near ones, then far again: the lazily armed timer must serve
 * each in time. */
static void mix_deadlines(void *context)
{
    struct task_cond *cond = context;
    int64_t start = clock_now();
    assert_int_equal(task_cond_wait(cond, start + 100LL * CLOCK_SECOND), TASK_READY);
    for (int i = 0; i < 5; i++) {
        int64_t deadline = in_ms(i % 2 == 0 ? 2 : 8);
        assert_int_equal(task_cond_wait(cond, deadline), TASK_TIMEOUT);
        assert_true(clock_now() >= deadline);
    }
    assert_int_equal(task_cond_wait(cond, CLOCK_NEVER), TASK_READY);
    assert_int_equal(task_cond_wait(cond, in_ms(30)), TASK_TIMEOUT);
    assert_true(clock_now() - start < 50LL * CLOCK_SECOND);
}

static void signal_now_and_then(void *context)
{
    task_yield();
    task_cond_signal(context);
    (void)task_sleep_until(in_ms(60));
    task_cond_signal(context);
}

static void test_lazy_deadlines(void **state)
{
    (void)state;
    struct task_cond cond;
    task_cond_init(&cond);
    (void)task_spawn("mixer", mix_deadlines, &cond);
    (void)task_spawn("signaller", signal_now_and_then, &cond);
    task_run(true);
}

static void yield_for_a_while(void *context)
{
    while (!*(bool *)context) {
        task_yield();
    }
}

static void end_it(void *context)
{
    assert_int_equal(task_sleep_until(in_ms(5)), TASK_TIMEOUT);
    *(bool *)context = true;
}

static void test_busy_fibers_do_not_starve_timers(void **state)
{
    (void)state;
    bool ended = false;
    (void)task_spawn("busy", yield_for_a_while, &ended);
    (void)task_spawn("busy", yield_for_a_while, &ended);
    (void)task_spawn("ender", end_it, &ended);
    task_run(true);
    assert_true(ended);
}

/* --- cancellation --- */

static void stop_soon(void *context)
{
    (void)context;
    (void)task_sleep_until(in_ms(1));
    task_stop();
}

/* Give every other fiber the time to park. */
static void run_until_parked(void)
{
    (void)task_spawn("stopper", stop_soon, NULL);
    task_run(false);
}

struct victim {
    struct task_cond *cond;
    enum task_result first, second, third;
    bool seen;
};

static void be_cancelled(void *context)
{
    struct victim *v = context;
    char *heap = xstrdup("held while waiting");
    v->first = v->cond != NULL ? task_cond_wait(v->cond, in_ms(60000))
                               : task_sleep_until(CLOCK_NEVER);
    v->seen = task_cancelled();
    v->second = task_sleep_until(in_ms(60000));
    task_yield(); /* has no result: still works */
    v->third = task_wait(0, TASK_READ, CLOCK_NEVER);
    free(heap);
}

static void test_cancel(void **state)
{
    (void)state;
    struct task_cond cond;
    task_cond_init(&cond);
    struct victim victims[3] = {{.cond = &cond}, {.cond = NULL}, {.cond = &cond}};
    struct fiber *fibers[3];
    for (int i = 0; i < 3; i++) {
        fibers[i] = task_spawn("victim", be_cancelled, &victims[i]);
    }
    task_cancel(fibers[2]); /* before it has run */
    run_until_parked();
    task_cancel(fibers[0]);
    task_cancel(fibers[0]); /* twice is once */
    task_cancel(fibers[1]);
    task_run(true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(victims[i].first, TASK_CANCELLED);
        assert_int_equal(victims[i].second, TASK_CANCELLED);
        assert_int_equal(victims[i].third, TASK_CANCELLED);
        assert_true(victims[i].seen);
    }
    assert_true(list_empty(&cond.waiters));
    assert_false(task_cancelled());
}

static void cancel_after_signal(void *context)
{
    struct victim *v = context;
    v->first = task_cond_wait(v->cond, CLOCK_NEVER);
    v->second = task_cond_wait(v->cond, CLOCK_NEVER);
}

static void test_cancel_does_not_undo_a_wakeup(void **state)
{
    (void)state;
    struct task_cond cond;
    task_cond_init(&cond);
    struct victim v = {.cond = &cond};
    struct fiber *fiber = task_spawn("victim", cancel_after_signal, &v);
    run_until_parked();
    assert_false(list_empty(&cond.waiters));
    task_cond_signal(&cond);
    task_cancel(fiber);
    task_run(true);
    assert_int_equal(v.first, TASK_READY);
    assert_int_equal(v.second, TASK_CANCELLED);
}

static void cancel_self(void *context)
{
    task_cancel(task_current());
    assert_true(task_cancelled());
    *(enum task_result *)context = task_sleep_until(CLOCK_NEVER);
}

static void test_cancel_self(void **state)
{
    (void)state;
    enum task_result result = TASK_READY;
    (void)task_spawn("self", cancel_self, &result);
    task_run(true);
    assert_int_equal(result, TASK_CANCELLED);
}

/* --- conditions --- */

struct queuer {
    struct task_cond *cond;
    struct trace *trace;
    char letter;
    int64_t timeout;
};

static void queue_up(void *context)
{
    struct queuer *q = context;
    enum task_result result = task_cond_wait(q->cond, clock_now() + q->timeout);
    q->trace->text[q->trace->len++] =
        result == TASK_READY ? q->letter : (char)(q->letter - 'a' + 'A');
}

/* The longest waiter comes first; one whose deadline has passed takes no signal. */
static void test_cond_order(void **state)
{
    (void)state;
    struct task_cond cond;
    struct trace trace = {.len = 0};
    struct queuer queuers[] = {
        {&cond, &trace, 'a', 60LL * CLOCK_SECOND},
        {&cond, &trace, 'b', 0},
        {&cond, &trace, 'c', 60LL * CLOCK_SECOND},
        {&cond, &trace, 'd', 60LL * CLOCK_SECOND},
        {&cond, &trace, 'e', 60LL * CLOCK_SECOND},
    };
    task_cond_init(&cond);
    task_cond_signal(&cond); /* nobody waits: nothing is remembered */
    for (size_t i = 0; i < ARRAY_SIZE(queuers); i++) {
        (void)task_spawn("queuer", queue_up, &queuers[i]);
    }
    bool ended = false;
    (void)task_spawn("ender", end_it, &ended);
    while (!ended) {
        run_until_parked();
    }
    assert_string_equal(trace.text, "B");
    task_cond_signal(&cond);
    run_until_parked();
    assert_string_equal(trace.text, "Ba");
    task_cond_signal(&cond);
    task_cond_signal(&cond);
    run_until_parked();
    assert_string_equal(trace.text, "Bacd");
    task_cond_broadcast(&cond);
    /* A woken waiter does not need the condition any more. */
    memset(&cond, 0, sizeof(cond));
    task_run(true);
    assert_string_equal(trace.text, "Bacde");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yield_takes_turns),
        cmocka_unit_test(test_spawn_from_fiber),
        cmocka_unit_test(test_switch_keeps_state),
        cmocka_unit_test(test_log_numbers),
        cmocka_unit_test(test_many_parked),
        cmocka_unit_test(test_sleep_is_never_early),
        cmocka_unit_test(test_lazy_deadlines),
        cmocka_unit_test(test_busy_fibers_do_not_starve_timers),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_does_not_undo_a_wakeup),
        cmocka_unit_test(test_cancel_self),
        cmocka_unit_test(test_cond_order),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
