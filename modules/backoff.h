/* SPDX-License-Identifier: MIT */
/* A server that does not answer is left alone for a time that doubles with each
 * failure. */
#ifndef MODULES_BACKOFF_H
#define MODULES_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/clock.h"

struct backoff {
    int64_t pause; /* after the last failure; 0: it works, as far as we know */
    int64_t retry_at;
};

static inline void backoff_success(struct backoff *backoff)
{
    backoff->pause = 0;
}

static inline void backoff_failure(struct backoff *backoff, int64_t pause_most)
{
    backoff->pause = backoff->pause == 0 ? CLOCK_SECOND : 2 * backoff->pause;
    if (backoff->pause > pause_most) {
        backoff->pause = pause_most;
    }
    backoff->retry_at = clock_now() + backoff->pause;
}

static inline bool backoff_must_wait(const struct backoff *backoff, int64_t now)
{
    return backoff->pause > 0 && now < backoff->retry_at;
}

#endif
