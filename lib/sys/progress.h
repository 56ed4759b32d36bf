/* SPDX-License-Identifier: MIT */
/*
 * How far a long piece of work is, on one line of a terminal; nothing is shown where
 * standard error is not a terminal, and nothing in the first second and a half.
 */
#ifndef SYS_PROGRESS_H
#define SYS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* of the things that are counted: "entries" */
    int64_t started;
    int64_t shown_at;
    uint64_t count;
    bool wanted;
    bool visible;
};

/* WANTED false: never show anything. */
void progress_begin(struct progress *progress, const char *what, bool wanted);
/* One more thing is done.  DONE of TOTAL bytes of the work's source are read; TOTAL 0:
 * not known.  Cheap: looks at the clock every 1024th time. */
void progress_step(struct progress *progress, uint64_t done, uint64_t total);
/* Erase the line, before anything else is written to the terminal. */
void progress_end(struct progress *progress);

#endif
