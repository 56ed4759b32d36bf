/* SPDX-License-Identifier: MIT */
/* Time in microseconds, from two clocks that must not be mixed. */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

enum { CLOCK_SECOND = 1000000, CLOCK_MILLISECOND = 1000 };

/* Deadlines and durations: monotonic, from an arbitrary origin. */
int64_t clock_now(void);
/* Time of day, since 1970. */
int64_t clock_wall(void);
/* "No deadline" for functions that take one. */
#define CLOCK_NEVER INT64_MAX

#endif
