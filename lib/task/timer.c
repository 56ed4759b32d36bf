/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers with a callback.  libevent's clock is coarse and may be some
 * milliseconds early; a callback never is, because the time is compared again.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "task/fiber.h"

/* What the EVENT member points to, from the first task_timer_set() on. */
struct alarm {
    struct event event;
    int64_t deadline;
};

static void arm(struct alarm *alarm)
{
    struct timeval tv = deadline_timeval(alarm->deadline);
    CHECK(event_add(&alarm->event, &tv) == 0);
}

static void alarm_fired(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct task_timer *timer = context;
    struct alarm *alarm = timer->event;
    if (clock_now() < alarm->deadline) {
        arm(alarm);
        return;
    }
    /* The last thing done with it: the callback may end the timer. */
    timer->callback(timer->context);
}

void task_timer_init(struct task_timer *timer, void (*callback)(void *), void *context)
{
    CHECK(callback != NULL);
    *timer = (struct task_timer){.callback = callback, .context = context};
}

void task_timer_set(struct task_timer *timer, int64_t deadline)
{
    CHECK(timer->callback != NULL);
    if (deadline == CLOCK_NEVER) {
        task_timer_clear(timer);
        return;
    }
    struct alarm *alarm = timer->event;
    if (alarm == NULL) {
        timer->event = alarm = xcalloc(1, sizeof(*alarm));
        CHECK(event_assign(&alarm->event, loop_base(), -1, 0, alarm_fired, timer) == 0);
    }
    alarm->deadline = deadline;
    arm(alarm);
}

void task_timer_clear(struct task_timer *timer)
{
    struct alarm *alarm = timer->event;
    if (alarm != NULL) {
        CHECK(event_del(&alarm->event) == 0);
    }
}

void task_timer_done(struct task_timer *timer)
{
    task_timer_clear(timer);
    free(timer->event);
    *timer = (struct task_timer){.event = NULL};
}
