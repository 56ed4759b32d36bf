/* SPDX-License-Identifier: MIT */
/*
 * Fibers on one event loop: session code is written straight-line, and every
 * suspension ends in task_wait().  Outside a fiber task_wait() polls, so the
 * same code runs in commands, exclusive workers and tests.
 *
 * One thread runs project code.  Functions that may suspend say "waits".
 * libevent is known to this layer alone.
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"
#include "sys/clock.h"

enum task_events { TASK_READ = 1, TASK_WRITE = 2 };

/* How a wait ended. */
enum task_result { TASK_READY, TASK_TIMEOUT, TASK_CANCELLED };

struct fiber;

/* --- loop ------------------------------------------------------------- */

/* Start the loop of this process (after fork, before the first fiber). */
void task_init(void);
/* Free all; every fiber must have ended. */
void task_done(void);
/* Run fibers and events until task_stop(), or, if UNTIL_IDLE, until none is left. */
void task_run(bool until_idle);
void task_stop(void);

/* --- fibers ----------------------------------------------------------- */

/* Start a fiber that runs FUNCTION(CONTEXT); it runs when the caller waits or
 * returns to the loop.  NAME (a literal) shows in diagnostics. */
struct fiber *task_spawn(const char *name, void (*function)(void *), void *context);
/* The running fiber, or NULL outside. */
struct fiber *task_current(void);
size_t task_fiber_count(void);
/* End FIBER's present wait, and every later one, with TASK_CANCELLED.  FIBER must
 * still exist: keep its pointer only while you know that. */
void task_cancel(struct fiber *fiber);
bool task_cancelled(void); /* the running fiber has been cancelled */
/* The number shown in the log tag for lines of this fiber; 0: the process ID.  Fibers
 * that it spawns from then on inherit it.  Outside fibers: their number. */
void task_set_log_number(uint64_t number);
uint64_t task_log_number(void);

/* --- waiting ---------------------------------------------------------- */

/* Every wait keeps errno.  Outside fibers signals do not end a wait. */

/* Waits until FD is ready for one of EVENTS, or DEADLINE (clock_now() scale).
 * For occasional use: registers and removes the descriptor each time. */
enum task_result task_wait(int fd, unsigned events, int64_t deadline);
/* Waits until DEADLINE or cancellation. */
enum task_result task_sleep_until(int64_t deadline);
/* Let others run. */
void task_yield(void);

/*
 * A descriptor that is waited on again and again: registered once,
 * edge-triggered, so that a wait costs no system call.  Use: try the I/O until
 * EAGAIN, then wait; TASK_READY may come once too often.  At most one fiber may
 * wait per direction.  FD must be non-blocking, and must not be given to task_wait()
 * or task_watch_fd() as well.  Outside a fiber (and without a loop) it polls.
 * The struct must not be moved.
 */
struct task_io {
    int fd;
    void *event;          /* private */
    struct fiber *reader; /* private */
    struct fiber *writer; /* private */
    unsigned registered;  /* private */
    unsigned ready;       /* private */
    bool closed; /* the peer will send no more: end of file comes, or is there */
};
void task_io_init(struct task_io *io, int fd);
enum task_result task_io_wait(struct task_io *io, unsigned events, int64_t deadline);
/* Must come before close(fd); a fiber still waiting on it is a bug (CHECK). */
void task_io_done(struct task_io *io);

/* A condition that fibers wait for: no lock is needed in one thread, but the
 * state must be looked at again after a wake-up.  A zeroed struct is not valid. */
struct task_cond {
    struct list waiters;
};
void task_cond_init(struct task_cond *cond);
enum task_result task_cond_wait(struct task_cond *cond, int64_t deadline); /* waits */
void task_cond_signal(struct task_cond *cond);    /* wakes the longest waiter */
void task_cond_broadcast(struct task_cond *cond); /* wakes all */

/* --- events outside fibers --------------------------------------------- */

/* Calls, from the loop, CALLBACK(CONTEXT) whenever FD is ready (level-triggered). */
struct task_watch;
struct task_watch *task_watch_fd(int fd, unsigned events, void (*callback)(void *),
                                 void *context);
struct task_watch *task_watch_signal(int signal_number, void (*callback)(void *),
                                     void *context);
void task_watch_pause(struct task_watch *watch, bool paused);
void task_watch_free(struct task_watch **watch);

/* One-shot timer; may be set again; a zeroed struct must be initialised. */
struct task_timer {
    void *event; /* private */
    void (*callback)(void *);
    void *context;
};
void task_timer_init(struct task_timer *timer, void (*callback)(void *), void *context);
void task_timer_set(struct task_timer *timer, int64_t deadline);
void task_timer_clear(struct task_timer *timer);
void task_timer_done(struct task_timer *timer);

/* --- offload ------------------------------------------------------------ */

/* Run FUNCTION(CONTEXT) on a pool thread and wait for it: for system calls that
 * block (fsync, rename, cold reads).  FUNCTION must use plain system calls on the
 * data in CONTEXT only: no allocation, no log, no project state.  Calls that are made
 * at the same time may run one after the other.  Not cancelled: returns when the call
 * has ended.  Outside a fiber it runs in place.  errno is kept:
 * FUNCTION reports its own in CONTEXT. */
void task_offload(void (*function)(void *), void *context);
/* fsync(FD) through the pool; false with errno set.  Waits. */
NODISCARD bool task_fsync(int fd);

#endif
