/* SPDX-License-Identifier: MIT */
#include "auth/watchdog.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "sys/clock.h"
#include "sys/signal.h"

static unsigned
    limit; /* seconds; signal handlers and callers have no context in common */

/* The library may hold any lock, so there are no words; master and smtpd have some. */
static void on_alarm(int number)
{
    (void)number;
    _exit(EXIT_FAILURE);
}

void watchdog_init(int64_t timeout)
{
    CHECK(timeout > 0);
    limit = (unsigned)((timeout + CLOCK_SECOND - 1) / CLOCK_SECOND);
    signal_handle(SIGALRM, on_alarm);
}

void watchdog_start(void)
{
    (void)alarm(limit);
}

void watchdog_stop(void)
{
    (void)alarm(0);
}
