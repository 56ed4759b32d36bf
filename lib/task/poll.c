/* SPDX-License-Identifier: MIT */
/*
 * Waiting without a loop: poll(2), so that the same code runs in commands, in
 * exclusive workers and in tests.  Signals do not end a wait.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "task/fiber.h"

/* Milliseconds for poll(2), rounded up: it must not return before DEADLINE. */
static int poll_timeout(int64_t deadline)
{
    if (deadline == CLOCK_NEVER) {
        return -1;
    }
    int64_t now = clock_now();
    if (deadline <= now) {
        return 0;
    }
    int64_t left = (deadline - now - 1) / CLOCK_MILLISECOND + 1;
    return left < INT_MAX ? (int)left : INT_MAX;
}

enum task_result poll_wait(int fd, unsigned events, int64_t deadline)
{
    int saved_errno = errno;
    struct pollfd pfd = {.fd = fd};
    pfd.events = (short)(((events & TASK_READ) != 0 ? POLLIN : 0) |
                         ((events & TASK_WRITE) != 0 ? POLLOUT : 0));
    for (;;) {
        int timeout = poll_timeout(deadline);
        int ready = poll(&pfd, 1, timeout);
        CHECK(ready >= 0 || errno == EINTR || errno == EAGAIN);
        if (ready > 0) {
            errno = saved_errno;
            return TASK_READY;
        }
        if (timeout == 0) {
            errno = saved_errno;
            return TASK_TIMEOUT;
        }
    }
}

struct timeval deadline_timeval(int64_t deadline)
{
    int64_t now = clock_now();
    int64_t left = deadline > now ? deadline - now : 0;
    return (struct timeval){.tv_sec = left / CLOCK_SECOND,
                            .tv_usec = left % CLOCK_SECOND};
}
