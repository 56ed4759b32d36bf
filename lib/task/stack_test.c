/* SPDX-License-Identifier: MIT */
/* Stacks: size, reuse, and what an overflow does. */
#include "task/stack.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "task/task.h"
#include "testing/test.h"

enum { PROMISED = 128 * 1024, EXIT_GUARD_HIT = 42, EXIT_ELSEWHERE = 43 };

static void test_reuse(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    struct stack_pool pool;
    struct stack *stacks[COUNT];
    stack_pool_init(&pool);
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = stack_take(&pool);
        assert_true(stacks[i]->size > PROMISED - 256);
        assert_ptr_equal(stacks[i]->low + stacks[i]->size, stacks[i]);
        memset(stacks[i]->low, i, stacks[i]->size);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(stacks[i]->low[0], i);
    }
    struct stack *last = stacks[0];
    for (int i = COUNT - 1; i > 0; i--) {
        stack_give_back(&pool, stacks[i]);
    }
    assert_true(pool.count > 0 && pool.count < COUNT - 1); /* bounded */
    size_t kept = pool.count;
    struct stack *again = stack_take(&pool);
    assert_int_equal(pool.count, kept - 1);
    memset(again->low, 1, again->size);
    stack_give_back(&pool, again);
    stack_give_back(&pool, last);
    stack_pool_done(&pool);
}

/* --- overflow, in a child process --- */

/* Where the guard page of the fiber that overflows is; for the signal handler. */
static char *guard;

static void segv(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    char *place = info->si_addr;
    bool hit = place >= guard && place < guard + sysconf(_SC_PAGESIZE);
    _exit(hit ? EXIT_GUARD_HIT : EXIT_ELSEWHERE);
}

static int go_deeper(volatile char *above)
{
    volatile char frame[512];
    frame[0] = above[0];
    return frame[0] == 1 ? go_deeper(frame) + frame[0] : 0; /* always 1 */
}

static void overflow(void *context)
{
    (void)context;
    volatile char first = 1;
    /* The usable bytes begin right above the guard page; the struct at the upper end
     * lies behind the fiber, in whose page we are. */
    struct stack_pool pool;
    stack_pool_init(&pool);
    struct stack *probe = stack_take(&pool);
    size_t whole = probe->size + sizeof(*probe);
    stack_give_back(&pool, probe);
    stack_pool_done(&pool);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t top = ((uintptr_t)task_current() + page) / page * page;
    guard = (char *)(top - whole - page);
    (void)go_deeper(&first);
}

static void overflow_child(void)
{
    size_t size = 64 * 1024;
    stack_t alternate = {.ss_sp = xmalloc(size), .ss_size = size};
    struct sigaction action = {.sa_sigaction = segv,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (sigaltstack(&alternate, NULL) != 0 || sigaction(SIGSEGV, &action, NULL) != 0) {
        _exit(1);
    }
    task_init();
    (void)task_spawn("overflow", overflow, NULL);
    task_run(true);
    _exit(0);
}

static void test_overflow_hits_guard(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        overflow_child();
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_GUARD_HIT);
}

/* A fiber that goes deep, then one on the same stack that ends early: what the
 * sanitizer marked for the first must not hit the second. */
static void use_much(void *context)
{
    char block[8000];
    memset(block, *(int *)context, sizeof(block));
    task_yield();
    for (size_t i = 0; i < sizeof(block); i++) {
        assert_int_equal(block[i], (char)*(int *)context);
    }
}

static void test_stacks_are_clean(void **state)
{
    (void)state;
    int values[50];
    task_init();
    for (int i = 0; i < 500; i++) {
        values[i % 50] = i % 50;
        (void)task_spawn("user", use_much, &values[i % 50]);
        if (i % 7 == 0) {
            task_run(true);
        }
    }
    task_run(true);
    task_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_stacks_are_clean),
        cmocka_unit_test(test_overflow_hits_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
