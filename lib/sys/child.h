/* SPDX-License-Identifier: MIT */
/*
 * Running other programs: fork and exec with exactly the descriptors that were
 * asked for, and words for how a child ended.
 */
#ifndef SYS_CHILD_H
#define SYS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"

enum { CHILD_DESCRIPTORS_MAX = 64 };

/* How to start a program. */
struct child_plan {
    const char *path;
    char *const *argv;
    char *const *environment; /* NULL: the caller's */
    /* descriptors[i] becomes descriptor i of the child; -1 leaves i closed (0-2:
     * /dev/null). The parent's own stay open and keep their flags. */
    const int *descriptors;
    size_t descriptor_count; /* at most CHILD_DESCRIPTORS_MAX */
    bool new_session;        /* setsid() */
};

/* Start it; all signals are at their defaults in the child and every descriptor that
 * was not asked for is closed.  Returns when the program runs; -1 with errno when it
 * could not be forked or executed. */
pid_t child_start(const struct child_plan *plan);
/* Wait for PID; its wait status, or -1 with errno. */
int child_wait(pid_t pid);
/* "exit status 1", "killed by signal 9". */
void child_describe(int wait_status, struct str *out);

#endif
