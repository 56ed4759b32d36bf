/* SPDX-License-Identifier: MIT */
/* Waiting for a descriptor once in a while, and for the time to pass. */
#include <errno.h>

#include "task/fiber.h"

static void descriptor_ready(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    fiber_wake(context, TASK_READY);
}

enum task_result task_wait(int fd, unsigned events, int64_t deadline)
{
    CHECK(fd >= 0 && events != 0 && (events & ~(TASK_READ | TASK_WRITE)) == 0);
    struct fiber *fiber = task_current();
    if (fiber == NULL) {
        return poll_wait(fd, events, deadline);
    }
    if (fiber->cancelled) {
        return TASK_CANCELLED;
    }
    int saved_errno = errno;
    struct event event;
    short what = (short)(((events & TASK_READ) != 0 ? EV_READ : 0) |
                         ((events & TASK_WRITE) != 0 ? EV_WRITE : 0));
    /* Persistent and level-triggered; it fires at most once more before it is removed.
     */
    CHECK(event_assign(&event, loop_base(), fd, what, descriptor_ready, fiber) == 0);
    enum task_result result = TASK_READY;
    if (loop_add_event(&event)) {
        result = fiber_park(deadline, true);
        (void)event_del(&event);
    }
    errno = saved_errno;
    return result;
}

enum task_result task_sleep_until(int64_t deadline)
{
    struct fiber *fiber = task_current();
    if (fiber == NULL) {
        return poll_wait(-1, 0, deadline);
    }
    return fiber->cancelled ? TASK_CANCELLED : fiber_park(deadline, true);
}
