/* SPDX-License-Identifier: MIT */
/* Fibers as the rest of this layer sees them.  Private to this layer. */
#ifndef TASK_FIBER_H
#define TASK_FIBER_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "task/stack.h"
#include "task/task.h"

enum fiber_state { FIBER_READY, FIBER_RUNNING, FIBER_WAITING, FIBER_ENDED };

struct fiber {
    struct list node; /* in the ready queue, or among the waiters of a condition */
    struct list all;  /* among all fibers */
    void *context;    /* of task_switch_to(), while it is not running */
    struct stack *stack;
    enum fiber_state state;
    enum task_result result; /* of the wait that has ended */
    bool cancelled;
    bool cancellable; /* the present wait */
    uint64_t log_number;
    int64_t deadline; /* of the present wait */
    int64_t alarm;    /* when TIMER will fire; CLOCK_NEVER: not armed */
    struct event timer;
    const char *name;
    void (*function)(void *);
    void *argument;
};

/* --- loop.c */

struct event_base *loop_base(void);
bool loop_exists(void);
/* Whether the description of FD can be waited for is found out by trying: false means
 * that the kernel takes FD (a file, /dev/null) to be always ready. */
NODISCARD bool loop_add_event(struct event *event);

/* --- fiber.c */

void fiber_start_all(void);
void fiber_end_all(void);
/* Run at most MOST fibers that are ready. */
void fiber_run_ready(unsigned most);
bool fiber_any_ready(void);
/* Suspend the running fiber until fiber_wake(), DEADLINE or, if CANCELLABLE, until
 * it is cancelled.  Keeps errno. */
enum task_result fiber_park(int64_t deadline, bool cancellable);
/* End the wait of FIBER with RESULT; nothing if it is not waiting (any more). */
void fiber_wake(struct fiber *fiber, enum task_result result);

/* --- poll.c */

/* What waiting is outside fibers. */
enum task_result poll_wait(int fd, unsigned events, int64_t deadline);
/* From now to DEADLINE; nothing if it has passed. */
struct timeval deadline_timeval(int64_t deadline);

/* --- offload.c */

void offload_stop(void);
/* Have the jobs done that were queued since the last call. */
void offload_announce(void);

#endif
