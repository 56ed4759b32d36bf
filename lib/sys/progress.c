/* SPDX-License-Identifier: MIT */
#include "sys/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "sys/clock.h"

enum {
    STEPS_PER_LOOK = 1024,
    FIRST_SHOWN = CLOCK_SECOND + CLOCK_SECOND / 2,
    INTERVAL = CLOCK_SECOND / 5,
    LINE = 100
};

void progress_begin(struct progress *progress, const char *what, bool wanted)
{
    *progress = (struct progress){.what = what,
                                  .started = clock_now(),
                                  .wanted = wanted && isatty(STDERR_FILENO) != 0};
}

static void show(const struct progress *progress, int64_t now, uint64_t done,
                 uint64_t total)
{
    char line[LINE];
    double seconds = (double)(now - progress->started) / CLOCK_SECOND;
    double rate = (double)progress->count / seconds;
    if (total > 0 && done <= total) {
        double part = (double)done / (double)total;
        double left = part > 0 ? seconds / part - seconds : 0;
        (void)snprintf(line, sizeof(line),
                       "%" PRIu64 " %s, %.0f%%, %.0f/s, %.0f s left", progress->count,
                       progress->what, 100 * part, rate, left);
    } else {
        (void)snprintf(line, sizeof(line), "%" PRIu64 " %s, %.0f/s", progress->count,
                       progress->what, rate);
    }
    (void)fprintf(stderr, "\r\033[K%s", line);
    (void)fflush(stderr);
}

void progress_step(struct progress *progress, uint64_t done, uint64_t total)
{
    if (++progress->count % STEPS_PER_LOOK != 0 || !progress->wanted) {
        return;
    }
    int64_t now = clock_now();
    if (now - progress->started < FIRST_SHOWN || now - progress->shown_at < INTERVAL) {
        return;
    }
    progress->shown_at = now;
    progress->visible = true;
    show(progress, now, done, total);
}

void progress_end(struct progress *progress)
{
    if (progress->visible) {
        (void)fprintf(stderr, "\r\033[K");
        (void)fflush(stderr);
        progress->visible = false;
    }
}
