/* SPDX-License-Identifier: MIT */
/*
 * What fibers cost: time per switch, per spawn, per round trip over a socket pair and
 * per offloaded call, and resident memory per parked fiber.  Prints one line each; not
 * installed.  Build with the release preset, or the figures mean nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "task/task.h"

enum {
    SWITCHES = 2000000,
    SPAWNS = 300000,
    ROUND_TRIPS = 200000,
    CALLS = 50000,
    PARKED = 10000
};

static void report(const char *what, int64_t start, long count)
{
    double each = (double)(clock_now() - start) * 1000 / (double)count;
    printf("%-44s %10.1f ns\n", what, each);
}

/* --- switch --- */

static void yield_often(void *context)
{
    long count = *(long *)context;
    for (long i = 0; i < count; i++) {
        task_yield();
    }
}

/* A yield is two switches: to the loop and from it. */
static void measure_switch(long fibers, const char *what)
{
    long each = SWITCHES / fibers;
    for (long i = 0; i < fibers; i++) {
        (void)task_spawn("yield", yield_often, &each);
    }
    int64_t start = clock_now();
    task_run(true);
    report(what, start, 2 * each * fibers);
}

/* --- spawn --- */

static void do_nothing(void *context)
{
    (void)context;
}

static void spawn_often(void *context)
{
    (void)context;
    for (long i = 0; i < SPAWNS; i++) {
        (void)task_spawn("nothing", do_nothing, NULL);
        task_yield();
    }
}

static void measure_spawn(void)
{
    (void)task_spawn("spawner", spawn_often, NULL);
    int64_t start = clock_now();
    task_run(true);
    report("spawn, run and end", start, SPAWNS);
}

/* --- round trips --- */

struct end {
    struct task_io io;
    bool first;
};

static void pass_byte(struct end *end, bool sending)
{
    char c = 'x';
    for (;;) {
        ssize_t n = sending ? write(end->io.fd, &c, 1) : read(end->io.fd, &c, 1);
        if (n == 1) {
            return;
        }
        CHECK(n < 0 && errno == EAGAIN);
        enum task_result result =
            task_io_wait(&end->io, sending ? TASK_WRITE : TASK_READ,
                         clock_now() + 300LL * CLOCK_SECOND);
        CHECK(result == TASK_READY);
    }
}

static void play(void *context)
{
    struct end *end = context;
    for (long i = 0; i < ROUND_TRIPS; i++) {
        pass_byte(end, end->first);
        pass_byte(end, !end->first);
    }
}

static void measure_round_trips(void)
{
    int fds[2];
    struct end ends[2] = {{.first = true}, {.first = false}};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    for (int i = 0; i < 2; i++) {
        task_io_init(&ends[i].io, fds[i]);
        (void)task_spawn("player", play, &ends[i]);
    }
    int64_t start = clock_now();
    task_run(true);
    report("round trip over a socket pair, one process", start, ROUND_TRIPS);
    for (int i = 0; i < 2; i++) {
        task_io_done(&ends[i].io);
        (void)close(fds[i]);
    }
}

/* --- offload --- */

static void offload_often(void *context)
{
    (void)context;
    for (long i = 0; i < CALLS; i++) {
        task_offload(do_nothing, NULL);
    }
}

static void measure_offload(void)
{
    (void)task_spawn("caller", offload_often, NULL);
    int64_t start = clock_now();
    task_run(true);
    report("offloaded call, one at a time", start, CALLS);
}

/* --- memory --- */

/* "VmRSS" and "VmPTE" (page tables) of this process, in KiB. */
static long memory_kib(void)
{
    long sum = 0;
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");
    CHECK(f != NULL);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0) {
            sum += strtol(line + 6, NULL, 10);
        }
    }
    (void)fclose(f);
    return sum;
}

static void wait_long(void *context)
{
    CHECK(task_cond_wait(context, clock_now() + 300LL * CLOCK_SECOND) == TASK_READY);
}

struct census {
    struct task_cond *cond;
    long kib;
};

static void count_memory(void *context)
{
    struct census *census = context;
    task_yield();
    census->kib = memory_kib();
    task_cond_broadcast(census->cond);
}

static void measure_memory(void)
{
    struct task_cond cond;
    struct census census = {.cond = &cond};
    task_cond_init(&cond);
    long before = memory_kib();
    for (int i = 0; i < PARKED; i++) {
        (void)task_spawn("waiter", wait_long, &cond);
    }
    (void)task_spawn("counter", count_memory, &census);
    task_run(true);
    printf("%-44s %10.1f KiB\n", "resident memory per parked fiber",
           (double)(census.kib - before) / PARKED);
}

int main(void)
{
    task_init();
    measure_memory(); /* first: before stacks are in the pool */
    measure_switch(1, "switch, 1 fiber");
    measure_switch(2, "switch, 2 fibers");
    measure_switch(1000, "switch, 1000 fibers");
    measure_spawn();
    measure_round_trips();
    measure_offload();
    task_done();
    return 0;
}
