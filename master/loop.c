/* SPDX-License-Identifier: MIT */
/*
 * The loop: knocks at listeners nobody is free for, reports of workers, timers and
 * signals.  Signals are delivered only while poll waits, so that none comes too
 * early or too late.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/master.h"
#include "sys/clock.h"
#include "sys/signal.h"

enum { STOP_GRACE = 5 * CLOCK_SECOND };

static const int caught[] = {SIGHUP,  SIGINT,  SIGTERM, SIGQUIT,
                             SIGABRT, SIGUSR1, SIGCHLD};

/* Signal handlers get no context. */
static volatile sig_atomic_t pending[NSIG];

static void on_signal(int number)
{
    pending[number] = 1;
}

static bool take_signal(int number)
{
    bool came = pending[number] != 0;
    pending[number] = 0;
    return came;
}

void loop_catch_signals(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(caught); i++) {
        signal_handle(caught[i], on_signal);
        (void)signal_block(caught[i], true);
    }
    signal_ignore(SIGPIPE);
}

/* What each polled descriptor belongs to: a service's listener or a worker's channel.
 */
struct poll_set {
    struct pollfd *fds;
    struct service **listeners;       /* NULL: a channel */
    struct worker_process **channels; /* NULL: a listener */
    size_t count, capacity;
};

static void add_to_set(struct poll_set *set, int fd, struct service *service,
                       struct worker_process *worker)
{
    if (set->count == set->capacity) {
        set->capacity = set->capacity * 2 + 64;
        set->fds = xreallocarray(set->fds, set->capacity, sizeof(*set->fds));
        set->listeners =
            xreallocarray(set->listeners, set->capacity, sizeof(struct service *));
        set->channels = xreallocarray(set->channels, set->capacity,
                                      sizeof(struct worker_process *));
    }
    set->fds[set->count] = (struct pollfd){.fd = fd, .events = POLLIN};
    set->listeners[set->count] = service;
    set->channels[set->count] = worker;
    set->count++;
}

static void fill_set(struct poll_set *set, const struct master *master)
{
    set->count = 0;
    LIST_EACH(&master->services, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        LIST_EACH(&service->workers, child)
        {
            struct worker_process *worker =
                LIST_ITEM(child, struct worker_process, node);
            if (worker->channel >= 0) {
                add_to_set(set, worker->channel, NULL, worker);
            }
        }
        bool wants = service_wants_worker(service);
        for (int i = 0; wants && i < service->endpoint.count; i++) {
            add_to_set(set, service->endpoint.fds[i], service, NULL);
        }
    }
}

/* Reports first: a worker that has become free makes a new one unnecessary. */
static void serve_set(const struct poll_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->fds[i].revents != 0 && set->channels[i] != NULL) {
            worker_receive(set->channels[i]);
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        struct service *service = set->listeners[i];
        if (set->fds[i].revents != 0 && service != NULL &&
            service_wants_worker(service)) {
            service_start_worker(service);
        }
    }
}

static void reload(struct master *master)
{
    struct err err;
    struct settings *next = settings_read(master->config_directory);
    if (next == NULL) {
        log_warning("reload: the configuration has errors; service goes on with the "
                    "previous one");
        return;
    }
    if (services_apply(master, next, &err) != OK) {
        log_error("%s", err.text);
        log_warning(
            "reload: service goes on with the previous configuration; if listening "
            "addresses have changed, stop and start the mail system");
        settings_free(&next);
        return;
    }
    const struct conf *conf = master->settings->conf;
    environment_free(&master->environment);
    master->environment = environment_make(conf);
    master->generation++;
    if (log_open(master, conf, true, &err) != OK) {
        log_warning("%s", err.text);
    }
    log_info("reload -- version %s, configuration %s", conf_str(conf, P_mail_version),
             master->config_directory);
    services_order(master, MASTER_LOG);
    services_order(master, MASTER_RETIRE);
}

static void reopen_log(struct master *master)
{
    struct err err;
    if (log_open(master, master->settings->conf, true, &err) != OK) {
        log_warning("%s", err.text);
        return;
    }
    services_order(master, MASTER_LOG);
}

/* Let the workers end as NUMBER tells them to, or, with 0, with their last clients. */
static void begin_stop(struct master *master, int number)
{
    master->stopping = true;
    services_close_endpoints(master);
    if (number == 0) {
        services_order(master, MASTER_RETIRE);
    } else {
        services_signal(master, number);
    }
}

struct stop {
    bool begun;
    int64_t kill_at; /* CLOCK_NEVER: the workers have all the time they need */
};

static void stop_at_signal(struct master *master, struct stop *stop, int number,
                           int worker_signal)
{
    log_info("terminating on signal %d", number);
    stop->begun = true;
    stop->kill_at = worker_signal == 0 ? CLOCK_NEVER : clock_now() + STOP_GRACE;
    begin_stop(master, worker_signal);
}

static void handle_signals(struct master *master, struct stop *stop)
{
    if (take_signal(SIGCHLD)) {
        workers_reap(master);
    }
    if (take_signal(SIGABRT)) {
        stop_at_signal(master, stop, SIGABRT, SIGKILL);
    }
    if (take_signal(SIGTERM)) {
        stop_at_signal(master, stop, SIGTERM, SIGTERM);
    }
    if (take_signal(SIGINT)) {
        stop_at_signal(master, stop, SIGINT, SIGTERM);
    }
    if (take_signal(SIGQUIT)) {
        stop_at_signal(master, stop, SIGQUIT, 0);
    }
    bool want_reload = take_signal(SIGHUP);
    bool want_log = take_signal(SIGUSR1);
    if (want_reload && !stop->begun) {
        reload(master);
    } else if (want_log) {
        reopen_log(master);
    }
}

static void wait_for_events(struct poll_set *set, int64_t deadline)
{
    sigset_t none;
    struct timespec rest = {0};
    CHECK(sigemptyset(&none) == 0);
    if (deadline != CLOCK_NEVER) {
        int64_t left = deadline - clock_now();
        left = left > 0 ? left : 0;
        rest.tv_sec = left / CLOCK_SECOND;
        rest.tv_nsec = left % CLOCK_SECOND * 1000;
    }
    int ready =
        ppoll(set->fds, set->count, deadline != CLOCK_NEVER ? &rest : NULL, &none);
    if (ready < 0) {
        CHECK(errno == EINTR || errno == ENOMEM || errno == EINVAL);
        for (size_t i = 0; i < set->count; i++) {
            set->fds[i].revents = 0;
        }
    }
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void loop_run(struct master *master, int64_t end)
{
    struct poll_set set = {0};
    struct stop stop = {.kill_at = CLOCK_NEVER};
    services_run_timers(master);
    while (!stop.begun || services_have_workers(master)) {
        fill_set(&set, master);
        wait_for_events(
            &set, earliest(earliest(end, stop.kill_at), services_next_timer(master)));
        serve_set(&set);
        handle_signals(master, &stop);
        services_run_timers(master);
        if (!stop.begun && clock_now() >= end) {
            stop.begun = true;
            stop.kill_at = clock_now() + STOP_GRACE;
            end = CLOCK_NEVER;
            begin_stop(master, SIGTERM);
        }
        if (clock_now() >= stop.kill_at) {
            services_signal(master, SIGKILL);
            stop.kill_at = clock_now() + STOP_GRACE;
        }
    }
    free(set.fds);
    free(set.listeners);
    free(set.channels);
}
