/* SPDX-License-Identifier: MIT */
/*
 * The services of master.cf: taking up a configuration, timers, and what is said to
 * all workers at once.  A new configuration is planned completely, with its
 * listeners open, before anything of the old one is given up.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "master/master.h"
#include "sys/clock.h"

static char *entry_name(const struct master_entry *entry)
{
    return xasprintf("%s/%s", entry->name, service_type_name(entry->type));
}

static struct service *service_new(struct master *master,
                                   const struct master_entry *entry)
{
    struct service *service = xcalloc(1, sizeof(*service));
    service->master = master;
    service->entry = entry;
    service->name = entry_name(entry);
    service->next_wakeup = CLOCK_NEVER;
    list_init(&service->workers);
    list_init(&service->node);
    return service;
}

static void service_free(struct service *service)
{
    CHECK(list_empty(&service->workers));
    endpoint_close(&service->endpoint, false);
    list_remove(&service->node);
    free(service->name);
    free(service);
}

/* "smtp/inet" or "inet" in master_service_disable. */
static bool is_disabled(const struct conf *conf, const struct master_entry *entry)
{
    struct view rest = view_cstr(conf_str(conf, P_master_service_disable));
    struct view item;
    char *name = entry_name(entry);
    bool found = false;
    while (!found && conf_list_next(&rest, &item)) {
        found = view_equal_cstr(item, name) ||
                view_equal_cstr(item, service_type_name(entry->type));
    }
    free(name);
    return found;
}

/* What shall be: a service for each entry.  One that listens already somewhere has no
 * descriptors here, only its address. */
struct plan {
    struct service **services; /* NULL: taken out */
    int count;
};

static bool has_address(const struct service *service, const char *address)
{
    return service->endpoint.address != NULL &&
           strcmp(service->endpoint.address, address) == 0;
}

static int find_planned(const struct plan *plan, const char *address)
{
    for (int i = 0; i < plan->count; i++) {
        if (plan->services[i] != NULL && has_address(plan->services[i], address)) {
            return i;
        }
    }
    return -1;
}

static bool is_open(const struct master *master, const char *address)
{
    LIST_EACH(&master->services, node)
    {
        if (has_address(LIST_ITEM(node, struct service, node), address)) {
            return true;
        }
    }
    return false;
}

static enum outcome plan_service(struct master *master, const struct conf *conf,
                                 const struct master_entry *entry, struct plan *plan,
                                 struct err *err)
{
    STR_AUTO struct str address = {0};
    enum outcome outcome = endpoint_describe(conf, entry, &address, err);
    if (outcome != OK) {
        return outcome;
    }
    if (find_planned(plan, str_ptr(&address)) >= 0) {
        return err_perm(err, "5.3.5",
                        "file %s/master.cf: line %d: duplicate entry for %s",
                        conf_directory(conf), entry->line, str_ptr(&address));
    }
    struct service *service = service_new(master, entry);
    plan->services[plan->count++] = service;
    if (!is_open(master, str_ptr(&address))) {
        return endpoint_open(conf, entry, master->unprivileged ? NULL : &master->owner,
                             &service->endpoint, err);
    }
    service->endpoint.address = str_steal(&address);
    return OK;
}

static void drop_plan(struct plan *plan)
{
    for (int i = 0; i < plan->count; i++) {
        endpoint_close(&plan->services[i]->endpoint, true);
        service_free(plan->services[i]);
    }
}

static bool has_path(const struct plan *plan, const char *path)
{
    for (int i = 0; path != NULL && i < plan->count; i++) {
        const struct service *service = plan->services[i];
        if (service != NULL && service->endpoint.path != NULL &&
            strcmp(service->endpoint.path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* Nobody listens any more, but the workers may take their time.  The name in the file
 * system may have gone to a service of another type. */
static void remove_service(struct service *service, const struct plan *plan)
{
    bool taken_over = has_path(plan, service->endpoint.path);
    service->entry = NULL;
    service->next_wakeup = CLOCK_NEVER;
    endpoint_close(&service->endpoint, !taken_over);
}

static void start_timers(struct service *service)
{
    service->throttled_until = 0;
    service->limit_warned = 0;
    service->stressed_until = 0;
    service->next_wakeup = service->entry->wakeup > 0 ? clock_now() : CLOCK_NEVER;
}

/* What listens where the plan wants it goes on with the new settings. */
static void keep_or_remove(struct service *old, struct plan *plan)
{
    int place =
        old->endpoint.address != NULL ? find_planned(plan, old->endpoint.address) : -1;
    if (place < 0) {
        remove_service(old, plan);
        return;
    }
    struct service *next = plan->services[place];
    plan->services[place] = NULL;
    free(old->name);
    old->name = xstrdup(next->name);
    old->entry = next->entry;
    start_timers(old);
    service_free(next);
}

static void merge_plan(struct master *master, struct plan *plan)
{
    LIST_EACH(&master->services, node)
    {
        keep_or_remove(LIST_ITEM(node, struct service, node), plan);
    }
    for (int i = 0; i < plan->count; i++) {
        struct service *service = plan->services[i];
        if (service != NULL) {
            list_add_tail(&master->services, &service->node);
            start_timers(service);
        }
    }
}

static enum outcome make_plan(struct master *master, const struct settings *next,
                              struct plan *plan, struct err *err)
{
    enum outcome outcome = OK;
    for (int i = 0; outcome == OK && i < next->services.count; i++) {
        const struct master_entry *entry = &next->services.entries[i];
        if (!is_disabled(next->conf, entry)) {
            outcome = plan_service(master, next->conf, entry, plan, err);
        }
    }
    return outcome;
}

enum outcome services_apply(struct master *master, struct settings *next,
                            struct err *err)
{
    struct plan plan = {0};
    plan.services = xcalloc((size_t)next->services.count + 1, sizeof(struct service *));
    enum outcome outcome = make_plan(master, next, &plan, err);
    if (outcome == OK) {
        merge_plan(master, &plan);
        settings_free(&master->settings);
        master->settings = next;
    } else {
        drop_plan(&plan);
    }
    free(plan.services);
    return outcome;
}

int64_t services_next_timer(const struct master *master)
{
    int64_t next = CLOCK_NEVER;
    LIST_EACH(&master->services, node)
    {
        const struct service *service = LIST_ITEM(node, struct service, node);
        /* While a service is throttled its wake-ups wait. */
        int64_t due = service->throttled_until != 0 ? service->throttled_until
                                                    : service->next_wakeup;
        next = due < next ? due : next;
    }
    return next;
}

static void run_timer(struct service *service, int64_t now)
{
    if (service->throttled_until != 0) {
        if (now < service->throttled_until) {
            return;
        }
        service->throttled_until = 0;
    }
    if (now < service->next_wakeup) {
        return;
    }
    if (service->used || !service->entry->wakeup_if_used) {
        endpoint_wake(&service->endpoint, service->entry->type);
    }
    service->next_wakeup = now + (int64_t)service->entry->wakeup * CLOCK_SECOND;
}

void services_run_timers(struct master *master)
{
    int64_t now = clock_now();
    LIST_EACH(&master->services, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        if (service->entry != NULL && !master->stopping) {
            run_timer(service, now);
        }
        if (service->entry == NULL && list_empty(&service->workers)) {
            service_free(service);
        }
    }
}

void services_order(struct master *master, enum master_order order)
{
    LIST_EACH(&master->services, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        LIST_EACH(&service->workers, child)
        {
            worker_order(LIST_ITEM(child, struct worker_process, node), order,
                         master->log_fd);
        }
    }
}

void services_signal(struct master *master, int number)
{
    LIST_EACH(&master->services, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        LIST_EACH(&service->workers, child)
        {
            (void)kill(LIST_ITEM(child, struct worker_process, node)->pid, number);
        }
    }
}

bool services_have_workers(const struct master *master)
{
    LIST_EACH(&master->services, node)
    {
        if (!list_empty(&LIST_ITEM(node, struct service, node)->workers)) {
            return true;
        }
    }
    return false;
}

void services_close_endpoints(struct master *master)
{
    LIST_EACH(&master->services, node)
    {
        endpoint_close(&LIST_ITEM(node, struct service, node)->endpoint, false);
    }
}

void services_free(struct master *master)
{
    LIST_EACH(&master->services, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        LIST_EACH(&service->workers, child)
        {
            worker_free(LIST_ITEM(child, struct worker_process, node));
        }
        service_free(service);
    }
}
