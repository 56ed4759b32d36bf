/* SPDX-License-Identifier: MIT */
/*
 * Fibers and the queue of those that can run.  The loop resumes one, it runs until it
 * parks or ends, and control comes back to the loop: fibers never switch to each other.
 *
 * Deadlines: each fiber has one timer.  A wait whose deadline is later than the time
 * for which the timer is already armed leaves it alone; when it fires early it is
 * armed again.  So a session that waits a thousand times with a timeout of minutes
 * touches the timer heap once in minutes.
 *
 * Invariant: a fiber's node is in the ready queue, or in a condition's list, or in
 * none.
 */
#include "task/fiber.h"

#include <errno.h>

#include "base/log.h"
#include "task/stack_hooks.h"
#include "task/switch.h"

/* One thread runs fibers, and there is one loop: the scheduler is the process's. */
static struct {
    struct fiber *current;
    struct list ready;
    struct list all;
    size_t count;
    void *context;   /* of the loop, while a fiber runs */
    const void *low; /* the loop's stack, for the sanitizer */
    size_t size;
    struct stack_pool pool;
    uint64_t log_number; /* outside fibers */
} scheduler;

void fiber_start_all(void)
{
    list_init(&scheduler.ready);
    list_init(&scheduler.all);
    stack_pool_init(&scheduler.pool);
    CHECK(scheduler.count == 0 && scheduler.current == NULL);
}

void fiber_end_all(void)
{
    CHECK(scheduler.current == NULL);
    LIST_EACH(&scheduler.all, node)
    {
        log_warning("fiber still there: %s", LIST_ITEM(node, struct fiber, all)->name);
    }
    CHECK(scheduler.count == 0 && list_empty(&scheduler.ready));
    stack_pool_done(&scheduler.pool);
}

struct fiber *task_current(void)
{
    return scheduler.current;
}

size_t task_fiber_count(void)
{
    return scheduler.count;
}

/* --- deadlines --- */

static void arm_timer(struct fiber *fiber)
{
    struct timeval tv = deadline_timeval(fiber->deadline);
    CHECK(event_add(&fiber->timer, &tv) == 0);
    fiber->alarm = fiber->deadline;
}

static void timer_fired(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct fiber *fiber = context;
    CHECK(fiber->state != FIBER_RUNNING && fiber->state != FIBER_ENDED);
    fiber->alarm = CLOCK_NEVER;
    if (fiber->state != FIBER_WAITING || fiber->deadline == CLOCK_NEVER) {
        return;
    }
    if (clock_now() >= fiber->deadline) {
        fiber_wake(fiber, TASK_TIMEOUT);
    } else {
        arm_timer(fiber);
    }
}

/* --- switching --- */

/* From the running fiber to the loop. */
static void leave_fiber(struct fiber *fiber)
{
    int saved_errno = errno;
    void *fake_stack = NULL;
    hook_switch_begin(fiber->state == FIBER_ENDED ? NULL : &fake_stack, scheduler.low,
                      scheduler.size);
    task_switch_to(&fiber->context, scheduler.context);
    hook_switch_end(fake_stack, &scheduler.low, &scheduler.size);
    errno = saved_errno;
}

/* The first function on a fiber's stack. */
static void enter_fiber(void *argument)
{
    struct fiber *fiber = argument;
    hook_switch_end(NULL, &scheduler.low, &scheduler.size);
    errno = 0;
    fiber->function(fiber->argument);
    CHECK(scheduler.current == fiber && fiber->state == FIBER_RUNNING);
    fiber->state = FIBER_ENDED;
    leave_fiber(fiber);
    log_panic("fiber %s was resumed after its end", fiber->name);
}

static void free_fiber(struct fiber *fiber)
{
    if (fiber->alarm != CLOCK_NEVER) {
        CHECK(event_del(&fiber->timer) == 0);
    }
    list_remove(&fiber->all);
    CHECK(scheduler.count > 0 && list_empty(&fiber->node));
    scheduler.count--;
    /* The struct lies on this stack. */
    stack_give_back(&scheduler.pool, fiber->stack);
}

static void resume_fiber(struct fiber *fiber)
{
    CHECK(scheduler.current == NULL && fiber->state == FIBER_READY);
    void *fake_stack = NULL;
    scheduler.current = fiber;
    fiber->state = FIBER_RUNNING;
    hook_switch_begin(&fake_stack, fiber->stack->low, fiber->stack->size);
    task_switch_to(&scheduler.context, fiber->context);
    hook_switch_end(fake_stack, NULL, NULL);
    scheduler.current = NULL;
    CHECK(fiber->state != FIBER_RUNNING);
    if (fiber->state == FIBER_ENDED) {
        free_fiber(fiber);
    }
}

static void make_ready(struct fiber *fiber)
{
    fiber->state = FIBER_READY;
    list_remove(&fiber->node);
    list_add_tail(&scheduler.ready, &fiber->node);
}

void fiber_run_ready(unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        struct list *node = list_first(&scheduler.ready);
        if (node == NULL) {
            return;
        }
        list_remove(node);
        resume_fiber(LIST_ITEM(node, struct fiber, node));
    }
}

bool fiber_any_ready(void)
{
    return !list_empty(&scheduler.ready);
}

enum task_result fiber_park(int64_t deadline, bool cancellable)
{
    struct fiber *fiber = scheduler.current;
    CHECK(fiber != NULL && fiber->state == FIBER_RUNNING);
    CHECK(!cancellable || !fiber->cancelled);
    int saved_errno = errno;
    fiber->state = FIBER_WAITING;
    fiber->cancellable = cancellable;
    fiber->deadline = deadline;
    if (deadline < fiber->alarm) {
        arm_timer(fiber);
    }
    errno = saved_errno;
    leave_fiber(fiber);
    fiber->deadline = CLOCK_NEVER;
    return fiber->result;
}

void fiber_wake(struct fiber *fiber, enum task_result result)
{
    if (fiber->state != FIBER_WAITING) {
        return;
    }
    fiber->result = result;
    make_ready(fiber);
}

/* --- public --- */

struct fiber *task_spawn(const char *name, void (*function)(void *), void *context)
{
    CHECK(loop_exists() && name != NULL && function != NULL);
    struct stack *stack = stack_take(&scheduler.pool);
    struct fiber *fiber = (struct fiber *)(void *)stack - 1;
    *fiber = (struct fiber){
        .stack = stack,
        .deadline = CLOCK_NEVER,
        .alarm = CLOCK_NEVER,
        .log_number = task_log_number(),
        .name = name,
        .function = function,
        .argument = context,
    };
    CHECK(event_assign(&fiber->timer, loop_base(), -1, 0, timer_fired, fiber) == 0);
    fiber->context = task_switch_prepare(fiber, enter_fiber, fiber);
    list_init(&fiber->node);
    list_add_tail(&scheduler.all, &fiber->all);
    scheduler.count++;
    make_ready(fiber);
    return fiber;
}

void task_cancel(struct fiber *fiber)
{
    CHECK(fiber != NULL && fiber->state != FIBER_ENDED);
    fiber->cancelled = true;
    if (fiber->state == FIBER_WAITING && fiber->cancellable) {
        fiber_wake(fiber, TASK_CANCELLED);
    }
}

bool task_cancelled(void)
{
    return scheduler.current != NULL && scheduler.current->cancelled;
}

void task_yield(void)
{
    struct fiber *fiber = scheduler.current;
    if (fiber == NULL) {
        return;
    }
    make_ready(fiber);
    leave_fiber(fiber);
}

void task_set_log_number(uint64_t number)
{
    if (scheduler.current != NULL) {
        scheduler.current->log_number = number;
    } else {
        scheduler.log_number = number;
    }
}

uint64_t task_log_number(void)
{
    return scheduler.current != NULL ? scheduler.current->log_number
                                     : scheduler.log_number;
}
