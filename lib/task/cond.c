/* SPDX-License-Identifier: MIT */
/*
 * Conditions.  A waiter leaves the list when it is woken, not when it runs, so a
 * signal is never spent on one whose wait has ended, and the condition may be freed
 * right after a broadcast.
 */
#include "task/fiber.h"

void task_cond_init(struct task_cond *cond)
{
    list_init(&cond->waiters);
}

enum task_result task_cond_wait(struct task_cond *cond, int64_t deadline)
{
    struct fiber *fiber = task_current();
    CHECK(fiber != NULL); /* outside fibers nobody could ever signal */
    CHECK(cond->waiters.next != NULL);
    if (fiber->cancelled) {
        return TASK_CANCELLED;
    }
    list_add_tail(&cond->waiters, &fiber->node);
    return fiber_park(deadline, true);
}

void task_cond_signal(struct task_cond *cond)
{
    struct list *node = list_first(&cond->waiters);
    if (node != NULL) {
        fiber_wake(LIST_ITEM(node, struct fiber, node), TASK_READY);
    }
}

void task_cond_broadcast(struct task_cond *cond)
{
    LIST_EACH(&cond->waiters, node)
    {
        fiber_wake(LIST_ITEM(node, struct fiber, node), TASK_READY);
    }
    CHECK(list_empty(&cond->waiters));
}
