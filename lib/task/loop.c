/* SPDX-License-Identifier: MIT */
/*
 * The loop: runs what is ready, then asks the kernel for events.  Callbacks of
 * libevent never run fibers, they only make them ready; so no fiber ever runs inside
 * libevent, and its loop needs no re-entrance.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "task/fiber.h"

/* Fibers resumed between two looks at the kernel: many, because a look is a system
 * call; bounded, because fibers that keep each other ready must not starve timers and
 * descriptors. */
enum { RUNS_PER_LOOK = 128 };

/* A process has one loop. */
static struct {
    struct event_base *base;
    bool running;
    bool stopping;
    bool quiet; /* a failed registration is reported by the caller */
} loop;

static void libevent_message(int severity, const char *text)
{
    if (severity >= EVENT_LOG_WARN && !loop.quiet) {
        log_warning("event loop: %s", text);
    }
}

NORETURN static void libevent_failed(int error)
{
    log_panic("event loop failed: error %d", error);
}

void task_init(void)
{
    CHECK(loop.base == NULL);
    event_set_log_callback(libevent_message);
    event_set_fatal_callback(libevent_failed);
    struct event_config *config = event_config_new();
    CHECK(config != NULL);
    /* The change list of epoll merges registrations, and loses the fresh edge that a
     * new registration gives; the environment must not switch it on. */
    CHECK(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
                                            EVENT_BASE_FLAG_IGNORE_ENV) == 0);
    CHECK(event_config_require_features(config,
                                        EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0);
    loop.base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop.base == NULL) {
        log_fatal("cannot create the event loop: %s", strerror(errno));
    }
    loop.stopping = false;
    fiber_start_all();
}

void task_done(void)
{
    CHECK(loop.base != NULL && !loop.running);
    fiber_end_all();
    offload_stop();
    event_base_free(loop.base);
    loop.base = NULL;
}

struct event_base *loop_base(void)
{
    CHECK(loop.base != NULL);
    return loop.base;
}

bool loop_exists(void)
{
    return loop.base != NULL;
}

bool loop_add_event(struct event *event)
{
    errno = 0;
    loop.quiet = true;
    int status = event_add(event, NULL);
    loop.quiet = false;
    if (status == 0) {
        return true;
    }
    if (errno == EPERM) {
        return false;
    }
    /* Registering one descriptor level- and edge-triggered, or a closed one. */
    CHECK(errno != 0 && errno != EBADF && errno != EEXIST);
    log_fatal("cannot wait for descriptor %d: %s", (int)event_get_fd(event),
              strerror(errno));
}

/* Wait for events, unless fibers are ready, and call their callbacks. */
static void look_for_events(void)
{
    offload_announce();
    bool busy = fiber_any_ready();
    int status = event_base_loop(loop.base, EVLOOP_ONCE | (busy ? EVLOOP_NONBLOCK : 0));
    CHECK(status >= 0);
    /* 1: nothing is registered.  With no fiber ready either, none ever would be. */
    CHECK(status == 0 || busy);
}

void task_run(bool until_idle)
{
    CHECK(loop.base != NULL && !loop.running && task_current() == NULL);
    loop.running = true;
    while (!loop.stopping) {
        fiber_run_ready(RUNS_PER_LOOK);
        if (loop.stopping || (until_idle && task_fiber_count() == 0)) {
            break;
        }
        look_for_events();
    }
    loop.running = false;
    loop.stopping = false;
}

void task_stop(void)
{
    loop.stopping = true;
}
