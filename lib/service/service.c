/* SPDX-License-Identifier: MIT */
/*
 * From exec to serving, and to the last call: the order is the same for every
 * worker.  What needs root or the outside of the chroot comes first, and nothing
 * from a client is read before the rights are gone.
 */
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/number.h"
#include "map/map.h"
#include "service/command.h"
#include "service/limits.h"
#include "service/worker.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/privilege.h"
#include "sys/signal.h"
#include "task/task.h"

static uint64_t number_of_environment(const char *name)
{
    uint64_t value = 0;
    const char *text = getenv(name);
    if (text != NULL && !number_parse_u64(view_cstr(text), UINT32_MAX, &value)) {
        log_fatal("bad value of %s in the environment: %s", name, text);
    }
    return value;
}

static void open_log(const struct conf *conf, const char *program)
{
    command_set_tag(conf, program);
    log_set_number(task_log_number);
    if (fcntl(MASTER_LOG_FD, F_GETFD) < 0 &&
        !log_set_syslog(conf_str(conf, P_syslog_facility))) {
        log_fatal("unknown syslog_facility: %s", conf_str(conf, P_syslog_facility));
    }
    log_set_stderr(false);
}

/* The text that master has found good, so that an edit in progress harms nobody. */
static struct conf *open_configuration(const struct service *service,
                                       const struct worker_arguments *arguments)
{
    struct err err;
    struct conf *conf =
        conf_open_snapshot(MASTER_CONFIG_FD, getenv("MAIL_CONFIG"), &err);
    if (conf == NULL) {
        log_fatal("%s", err.text);
    }
    worker_arguments_apply(arguments, service->name, conf);
    return conf;
}

static void report_mistake(void *context, const char *file, int line, const char *text)
{
    (void)context;
    if (line > 0) {
        log_fatal("%s, line %d: %s", file, line, text);
    }
    log_fatal("%s", text);
}

/* master has checked main.cf, but not "-o name=value".  Better now than in the middle
 * of a session. */
static void check_configuration(const struct worker *worker)
{
    (void)conf_validate(worker->conf, report_mistake, NULL);
}

static void check_descriptors(const struct service *service)
{
    if (fcntl(MASTER_CHANNEL_FD, F_GETFD) < 0 || fcntl(MASTER_CONFIG_FD, F_GETFD) < 0) {
        log_fatal(
            "%s is started by master(8); use -S to serve standard input and output",
            service->name);
    }
}

static void take_descriptors(struct worker *worker)
{
    int count = worker->arguments.listeners;
    for (int fd = MASTER_CHANNEL_FD; fd < MASTER_LISTENER_FD + count; fd++) {
        (void)fd_set_cloexec(fd, true);
    }
    for (int i = 0; i < count; i++) {
        worker->listeners[i] = MASTER_LISTENER_FD + i;
        if (!fd_set_nonblocking(worker->listeners[i], true)) {
            log_fatal("listener %d of %d is missing: %m", i + 1, count);
        }
    }
    worker->listener_count = count;
    worker->context.ticket_fd =
        fcntl(MASTER_TICKET_FD, F_GETFD) >= 0 ? MASTER_TICKET_FD : -1;
    channel_init(&worker->channel, MASTER_CHANNEL_FD,
                 (uint32_t)number_of_environment(MASTER_GENERATION_ENV));
}

static unsigned client_limit(const struct worker *worker)
{
    const struct service *service = worker->service;
    unsigned limit = (unsigned)conf_int(worker->conf, P_process_client_limit);
    if (service->client_limit > 0 &&
        !conf_is_set(worker->conf, "process_client_limit")) {
        limit = (unsigned)service->client_limit;
    }
    if (service->kind == SERVICE_EXCLUSIVE) {
        return 1;
    }
    /* A single process serves all there are: maxproc is its number of processes. */
    if (service->single || worker->arguments.stand_alone) {
        return limit;
    }
    if (worker->arguments.one_client) {
        return 1;
    }
    uint64_t share = number_of_environment(MASTER_CLIENTS_ENV);
    if (!worker->arguments.no_limit && share > 0 && share < limit) {
        limit = (unsigned)share;
    }
    return limit;
}

static void set_limits(struct worker *worker)
{
    worker->client_limit = client_limit(worker);
    /* Others serve one client and run programs of users, which may not expect many
     * open files. */
    if (worker->service->kind == SERVICE_CONCURRENT) {
        limits_raise_files();
        worker->client_limit = limits_clients(worker->client_limit);
    }
    bool forever = worker->service->single || worker->service->kind == SERVICE_DATAGRAM;
    int64_t max_use = conf_int(worker->conf, P_max_use);
    worker->sessions_max =
        forever ? UINT64_MAX : (uint64_t)max_use * worker->client_limit;
    worker->max_idle =
        worker->service->single ? CLOCK_NEVER : conf_time(worker->conf, P_max_idle);
}

static void require(enum outcome outcome, const struct err *err)
{
    if (outcome != OK) {
        log_fatal("%s", err->text);
    }
}

/* Chroot and the loss of root's rights. */
static void give_up_rights(struct worker *worker)
{
    struct err err;
    struct privilege_user user;
    const struct service *service = worker->service;
    if (worker->arguments.stand_alone) {
        return; /* the caller's session with the caller's rights: its mail is the
                   caller's */
    }
    if (geteuid() != 0) {
        if (worker->arguments.chroot) {
            log_debug("not root: chroot is not possible");
        }
        return;
    }
    require(privilege_find_user(conf_str(worker->conf, P_mail_owner), &user, &err),
            &err);
    if (user.uid == 0) {
        log_fatal("mail_owner must not be root");
    }
    /* Sockets and files of other programs are often open to a group only. */
    require(privilege_find_groups(conf_str(worker->conf, P_mail_owner), &user, &err),
            &err);
    if (worker->arguments.chroot) {
        require(privilege_chroot(conf_str(worker->conf, P_queue_directory), &err),
                &err);
    }
    if (service->keep_root && !worker->arguments.unprivileged) {
        require(privilege_lower(&user, &err), &err);
    } else {
        require(privilege_drop(&user, &err), &err);
    }
}

static void enter_queue(const struct conf *conf)
{
    const char *queue = conf_str(conf, P_queue_directory);
    if (chdir(queue) != 0) {
        log_fatal("chdir(\"%s\"): %m", queue);
    }
}

/* Two queue managers would undo each other's work; master.cf may ask for what cannot
 * be. */
static void check_arguments(const struct worker *worker)
{
    const struct worker_arguments *arguments = &worker->arguments;
    if (worker->service->single && !arguments->stand_alone && !arguments->one_client) {
        log_fatal("service %s requires a process limit of 1", arguments->name);
    }
    if (worker->service->keep_root && arguments->unprivileged && geteuid() == 0) {
        log_fatal("service %s requires privileged operation", arguments->name);
    }
}

static void prepare(struct worker *worker)
{
    const struct service *service = worker->service;
    check_arguments(worker);
    worker->context.conf = worker->conf;
    worker->context.name = worker->arguments.name;
    worker->context.type = worker->arguments.type;
    worker->context.arguments = worker->arguments.rest;
    worker->context.stand_alone = worker->arguments.stand_alone;
    worker->context.confined =
        worker->arguments.chroot && !worker->arguments.stand_alone && geteuid() == 0;
    worker->context.privileged =
        geteuid() == 0 && service->keep_root && !worker->arguments.unprivileged;
    set_limits(worker);
    (void)umask(077);
    enter_queue(worker->conf);
    tzset(); /* the zone file is not there in the chroot */
    if (service->kind == SERVICE_CONCURRENT && !worker->arguments.stand_alone) {
        map_carry_blocking_types();
    }
    if (service->open != NULL) {
        service->open(&worker->context);
    }
    give_up_rights(worker);
    signal_ignore(SIGPIPE);
    if (service->kind == SERVICE_CONCURRENT) {
        task_init();
    }
    if (service->ready != NULL) {
        service->ready(&worker->context);
    }
}

static void run(struct worker *worker)
{
    if (worker->arguments.stand_alone) {
        worker_run_stand_alone(worker);
        return;
    }
    switch (worker->service->kind) {
    case SERVICE_CONCURRENT:
        worker_run_concurrent(worker);
        break;
    case SERVICE_EXCLUSIVE:
        worker_run_exclusive(worker);
        break;
    case SERVICE_DATAGRAM:
        worker_run_datagram(worker);
        break;
    }
}

/* Exit without running what belongs to fibers that are still there. */
static void finish(struct worker *worker)
{
    if (worker->service->close != NULL) {
        worker->service->close(&worker->context);
    }
    if (worker->service->kind == SERVICE_CONCURRENT) {
        if (task_fiber_count() > 0) {
            _exit(EXIT_SUCCESS);
        }
        task_done();
    }
    conf_free(&worker->conf);
    free(worker);
}

static void start_under_master(struct worker *worker)
{
    check_descriptors(worker->service);
    log_set_fatal_delay(1);
    if (fcntl(MASTER_LOG_FD, F_GETFD) >= 0) {
        log_set_fd(MASTER_LOG_FD);
    }
    worker->conf = open_configuration(worker->service, &worker->arguments);
    open_log(worker->conf, worker->service->name);
    check_configuration(worker);
    take_descriptors(worker);
}

static void start_alone(struct worker *worker)
{
    worker->conf = command_conf_open(NULL, false);
    worker_arguments_apply(&worker->arguments, worker->service->name, worker->conf);
    command_set_tag(worker->conf, worker->service->name);
    log_set_number(task_log_number);
    command_log_to_maillog(worker->conf);
    log_set_stderr(isatty(STDERR_FILENO) != 0);
}

int service_main(const struct service *service, int argc, char **argv)
{
    struct worker *worker = xcalloc(1, sizeof(*worker));
    log_init(service->name);
    worker->service = service;
    worker->context.ticket_fd = -1;
    worker_arguments_parse(service->name, argc, argv, &worker->arguments);
    log_set_verbose(worker->arguments.verbose);
    if (worker->arguments.stand_alone) {
        start_alone(worker);
    } else {
        start_under_master(worker);
    }
    prepare(worker);
    run(worker);
    finish(worker);
    return EXIT_SUCCESS;
}

void worker_report(struct worker *worker, enum worker_state state, unsigned clients)
{
    bool served = worker->sessions > 0 || worker->worked || worker->service->fragile;
    if (worker->reported_state == (unsigned)state &&
        worker->reported_served == served) {
        return;
    }
    if (channel_report(&worker->channel, state, clients, served)) {
        worker->reported_state = state;
        worker->reported_served = served;
    }
}

bool worker_outdated(struct worker *worker)
{
    return worker->service->outdated != NULL &&
           worker->service->outdated(&worker->context);
}

bool worker_used_up(struct worker *worker)
{
    return worker->sessions >= worker->sessions_max || worker_outdated(worker);
}

void worker_close_listeners(struct worker *worker)
{
    for (int i = 0; i < worker->listener_count; i++) {
        if (worker->listeners[i] >= 0) {
            (void)close(worker->listeners[i]);
            worker->listeners[i] = -1;
        }
    }
}

bool service_await_until(struct service_context *context, struct stream *client,
                         int64_t deadline)
{
    struct worker *worker = worker_of(context);
    if (worker->arguments.stand_alone) {
        struct view some;
        return stream_peek_some(client, &some);
    }
    return worker->service->kind == SERVICE_EXCLUSIVE
               ? worker_await_exclusive(worker, client, deadline)
               : worker_await_concurrent(worker, client, deadline);
}

bool service_await(struct service_context *context, struct stream *client)
{
    return service_await_until(context, client, CLOCK_NEVER);
}

void worker_note_work(struct worker *worker)
{
    if (!worker->worked) {
        worker->worked = true;
        if (worker->reported_state != WORKER_RETIRING) {
            worker_report(worker, (enum worker_state)worker->reported_state,
                          worker->client_limit);
        }
    }
}
