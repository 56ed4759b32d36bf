/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that are waited on again and again.  Each direction is registered,
 * edge-triggered, at the first wait for it and stays so until task_io_done().
 * An edge that comes while nobody waits is kept in READY: the next wait then returns
 * at once, and costs its caller one more try that ends in EAGAIN.  Nothing is lost.
 */
#include <errno.h>

#include "task/fiber.h"

static void edge(evutil_socket_t fd, short what, void *context)
{
    struct task_io *io = context;
    CHECK(fd == io->fd);
    io->closed = io->closed || (what & EV_CLOSED) != 0;
    if ((what & (EV_READ | EV_CLOSED)) != 0) {
        io->ready |= TASK_READ;
        if (io->reader != NULL) {
            fiber_wake(io->reader, TASK_READY);
        }
    }
    if ((what & EV_WRITE) != 0) {
        io->ready |= TASK_WRITE;
        if (io->writer != NULL) {
            fiber_wake(io->writer, TASK_READY);
        }
    }
}

void task_io_init(struct task_io *io, int fd)
{
    CHECK(fd >= 0);
    *io = (struct task_io){.fd = fd};
}

/* Add EVENTS to what is registered.  The kernel then reports what is ready already.
 * False: the descriptor is always ready. */
static bool register_events(struct task_io *io, unsigned events)
{
    unsigned all = io->registered | events;
    short what = (short)(EV_ET | EV_PERSIST |
                         ((all & TASK_READ) != 0 ? EV_READ | EV_CLOSED : 0) |
                         ((all & TASK_WRITE) != 0 ? EV_WRITE : 0));
    if (io->event == NULL) {
        io->event = event_new(loop_base(), io->fd, what, edge, io);
        CHECK(io->event != NULL);
    } else {
        (void)event_del(io->event);
        CHECK(event_assign(io->event, loop_base(), io->fd, what, edge, io) == 0);
    }
    if (!loop_add_event(io->event)) {
        io->registered = 0;
        return false;
    }
    io->registered = all;
    return true;
}

static enum task_result park(struct task_io *io, unsigned events, int64_t deadline)
{
    struct fiber *fiber = task_current();
    CHECK((events & TASK_READ) == 0 || io->reader == NULL);
    CHECK((events & TASK_WRITE) == 0 || io->writer == NULL);
    if ((events & TASK_READ) != 0) {
        io->reader = fiber;
    }
    if ((events & TASK_WRITE) != 0) {
        io->writer = fiber;
    }
    enum task_result result = fiber_park(deadline, true);
    if ((events & TASK_READ) != 0) {
        io->reader = NULL;
    }
    if ((events & TASK_WRITE) != 0) {
        io->writer = NULL;
    }
    return result;
}

enum task_result task_io_wait(struct task_io *io, unsigned events, int64_t deadline)
{
    CHECK(io->fd >= 0 && events != 0 && (events & ~(TASK_READ | TASK_WRITE)) == 0);
    struct fiber *fiber = task_current();
    if (fiber == NULL) {
        return poll_wait(io->fd, events, deadline);
    }
    if (fiber->cancelled) {
        return TASK_CANCELLED;
    }
    enum task_result result = TASK_READY;
    if ((events & ~io->registered) != 0) {
        int saved_errno = errno;
        bool waitable = register_events(io, events);
        errno = saved_errno;
        if (!waitable) {
            return TASK_READY;
        }
        io->ready &= ~events;
    }
    if ((io->ready & events) == 0) {
        result = park(io, events, deadline);
    }
    if (result == TASK_READY) {
        io->ready &= ~events;
    }
    return result;
}

void task_io_done(struct task_io *io)
{
    CHECK(io->reader == NULL && io->writer == NULL);
    if (io->event != NULL) {
        event_free(io->event);
    }
    *io = (struct task_io){.fd = -1};
}
