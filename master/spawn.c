/* SPDX-License-Identifier: MIT */
/* Starting a worker: its command line, environment and descriptors. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/master.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/file.h"

struct words {
    char **items;
    size_t count;
};

static void add_word(struct words *words, char *word)
{
    words->items = xreallocarray(words->items, words->count + 1, sizeof(*words->items));
    words->items[words->count++] = word;
}

static void free_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        free(words->items[i]);
    }
    free(words->items);
}

static void add_option(struct words *words, const char *option, char *value)
{
    add_word(words, xstrdup(option));
    if (value != NULL) {
        add_word(words, value);
    }
}

/* The command line that administrators know from ps(1). */
static struct words make_arguments(const struct service *service)
{
    const struct master_entry *entry = service->entry;
    struct words words = {0};
    add_word(&words, xstrdup(entry->program));
    unsigned limit = service_process_limit(service);
    if (limit <= 1) {
        add_option(&words, limit == 1 ? "-l" : "-z", NULL);
    }
    if (strcmp(entry->name, entry->program) != 0) {
        add_option(&words, "-n", xstrdup(entry->name));
    }
    add_option(&words, "-t", xstrdup(service_type_name(entry->type)));
    if (entry->unprivileged) {
        add_option(&words, "-u", NULL);
    }
    if (entry->chroot && !service->master->unprivileged) {
        add_option(&words, "-c", NULL);
    }
    if (entry->type == SERVICE_INET) {
        add_option(
            &words, "-o",
            xstrdup(clock_now() < service->stressed_until ? "stress=yes" : "stress="));
    }
    if (service->endpoint.count > 1) {
        add_option(&words, "-s", xasprintf("%d", service->endpoint.count));
    }
    for (int i = 0; i < service->master->verbose; i++) {
        add_option(&words, "-v", NULL);
    }
    for (int i = 0; i < entry->option_count; i++) {
        add_option(&words, "-o",
                   xasprintf("%s=%s", entry->options[i].name, entry->options[i].value));
    }
    for (char **argument = entry->arguments; *argument != NULL; argument++) {
        add_word(&words, xstrdup(*argument));
    }
    add_word(&words, NULL);
    return words;
}

static struct words make_environment(const struct service *service)
{
    struct words words = {0};
    for (char **name = service->master->environment; *name != NULL; name++) {
        add_word(&words, xstrdup(*name));
    }
    add_word(&words, xasprintf("MAIL_CONFIG=%s", service->master->config_directory));
    add_word(&words,
             xasprintf("%s=%u", MASTER_CLIENTS_ENV, service_next_clients(service)));
    add_word(&words,
             xasprintf("%s=%u", MASTER_GENERATION_ENV, service->master->generation));
    add_word(&words, NULL);
    return words;
}

/* Keys are for those who shake hands with clients, and for nobody else. */
static bool speaks_tls(const struct master_entry *entry)
{
    return strcmp(entry->program, "smtpd") == 0;
}

static pid_t start_program(const struct service *service, int channel)
{
    const struct master *master = service->master;
    int descriptors[MASTER_LISTENER_FD + MASTER_LISTENERS_MAX] = {-1, -1, -1};
    descriptors[MASTER_TICKET_FD] = speaks_tls(service->entry) ? master->ticket_fd : -1;
    descriptors[MASTER_CHANNEL_FD] = channel;
    descriptors[MASTER_LOG_FD] = master->log_fd;
    descriptors[MASTER_CONFIG_FD] = master->settings->snapshot_fd;
    for (int i = 0; i < service->endpoint.count; i++) {
        descriptors[MASTER_LISTENER_FD + i] = service->endpoint.fds[i];
    }
    struct words arguments = make_arguments(service);
    struct words environment = make_environment(service);
    char *path =
        xasprintf("%s/%s", conf_str(master->settings->conf, P_daemon_directory),
                  service->entry->program);
    struct child_plan plan = {
        .path = path,
        .argv = arguments.items,
        .environment = environment.items,
        .descriptors = descriptors,
        .descriptor_count = (size_t)(MASTER_LISTENER_FD + service->endpoint.count),
    };
    pid_t pid = child_start(&plan);
    if (pid < 0) {
        log_warning("cannot start %s: %m", path);
    }
    free(path);
    free_words(&arguments);
    free_words(&environment);
    return pid;
}

void service_throttle(struct service *service)
{
    const struct conf *conf = service->master->settings->conf;
    if (service->entry == NULL || service->throttled_until != 0) {
        return;
    }
    service->throttled_until = clock_now() + conf_time(conf, P_service_throttle_time);
}

void service_start_worker(struct service *service)
{
    int pair[2];
    CHECK(service->entry != NULL);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) !=
        0) {
        log_warning("service %s: create a channel: %m", service->name);
        service_throttle(service);
        return;
    }
    unsigned clients = service_next_clients(service);
    pid_t pid = start_program(service, pair[1]);
    fd_close(&pair[1]);
    if (pid < 0) {
        fd_close(&pair[0]);
        service_throttle(service);
        return;
    }
    struct worker_process *worker = xcalloc(1, sizeof(*worker));
    *worker = (struct worker_process){.service = service,
                                      .pid = pid,
                                      .channel = pair[0],
                                      .generation = service->master->generation,
                                      .state = WORKER_AVAILABLE,
                                      .clients = clients > 0 ? clients : 1};
    list_add_tail(&service->workers, &worker->node);
    service->used = true;
}
