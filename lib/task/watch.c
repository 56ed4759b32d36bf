/* SPDX-License-Identifier: MIT */
/* Callbacks from the loop: descriptors, signals and timers, outside fibers. */
#include <stdlib.h>

#include "base/alloc.h"
#include "task/fiber.h"

struct task_watch {
    struct event event;
    void (*callback)(void *);
    void *context;
    bool paused;
};

static void watch_fired(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct task_watch *watch = context;
    /* The last thing done with it: the callback may free the watch. */
    watch->callback(watch->context);
}

static struct task_watch *watch_new(int number, short what, void (*callback)(void *),
                                    void *context)
{
    CHECK(number >= 0 && callback != NULL);
    struct task_watch *watch = xcalloc(1, sizeof(*watch));
    watch->callback = callback;
    watch->context = context;
    CHECK(event_assign(&watch->event, loop_base(), number, what, watch_fired, watch) ==
          0);
    /* A descriptor that is always ready is nothing to watch. */
    CHECK(loop_add_event(&watch->event));
    return watch;
}

struct task_watch *task_watch_fd(int fd, unsigned events, void (*callback)(void *),
                                 void *context)
{
    CHECK(events != 0 && (events & ~(TASK_READ | TASK_WRITE)) == 0);
    short what = (short)(EV_PERSIST | ((events & TASK_READ) != 0 ? EV_READ : 0) |
                         ((events & TASK_WRITE) != 0 ? EV_WRITE : 0));
    return watch_new(fd, what, callback, context);
}

struct task_watch *task_watch_signal(int signal_number, void (*callback)(void *),
                                     void *context)
{
    return watch_new(signal_number, EV_SIGNAL | EV_PERSIST, callback, context);
}

void task_watch_pause(struct task_watch *watch, bool paused)
{
    if (watch->paused == paused) {
        return;
    }
    watch->paused = paused;
    if (paused) {
        CHECK(event_del(&watch->event) == 0);
    } else {
        CHECK(loop_add_event(&watch->event));
    }
}

void task_watch_free(struct task_watch **watch)
{
    if (*watch == NULL) {
        return;
    }
    (void)event_del(&(*watch)->event);
    free(*watch);
    *watch = NULL;
}
