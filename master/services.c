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

static struct service *find_by_address(struct list *services, const char *address)
{
    LIST_EACH(services, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        if (service->endpoint.address != NULL &&
            strcmp(service->endpoint.address, address) == 0) {
            return service;
        }
    }
    return NULL;
}

/* A plan is a list of new services; those whose listener exists already have none yet.
 */
static enum outcome plan_service(struct master *master, const struct conf *conf,
                                 const struct master_entry *entry, struct list *plan,
                                 struct err *err)
{
    STR_AUTO struct str address = {0};
    enum outcome outcome = endpoint_describe(conf, entry, &address, err);
    if (outcome != OK) {
        return outcome;
    }
    if (find_by_address(plan, str_ptr(&address)) != NULL) {
        return err_perm(err, "5.3.5", "line %d: duplicate entry for %s", entry->line,
                        str_ptr(&address));
    }
    struct service *service = service_new(master, entry);
    list_add_tail(plan, &service->node);
    if (find_by_address(&master->services, str_ptr(&address)) == NULL) {
        return endpoint_open(conf, entry, master->unprivileged ? NULL : &master->owner,
                             &service->endpoint, err);
    }
    service->endpoint.address = str_steal(&address);
    return OK;
}

static void drop_plan(struct list *plan)
{
    LIST_EACH(plan, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        endpoint_close(&service->endpoint, true);
        service_free(service);
    }
}

static bool has_path(const struct list *plan, const char *path)
{
    LIST_EACH(plan, node)
    {
        const char *other = LIST_ITEM(node, struct service, node)->endpoint.path;
        if (path != NULL && other != NULL && strcmp(path, other) == 0) {
            return true;
        }
    }
    return false;
}

/* Nobody listens any more, but the workers may take their time.  The name in the file
 * system may have gone to a service of another type. */
static void remove_service(struct service *service, const struct list *plan)
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

/* Take over from the old services what goes on, and put the new ones in. */
static void merge_plan(struct master *master, struct list *plan)
{
    struct list merged;
    list_init(&merged);
    LIST_EACH(&master->services, node)
    {
        struct service *old = LIST_ITEM(node, struct service, node);
        struct service *next = old->endpoint.address != NULL
                                   ? find_by_address(plan, old->endpoint.address)
                                   : NULL;
        if (next == NULL) {
            remove_service(old, plan);
            continue;
        }
        free(old->name);
        old->name = xstrdup(next->name);
        old->entry = next->entry;
        start_timers(old);
        list_remove(&next->node);
        list_add_tail(&merged, &next->node);
    }
    LIST_EACH(plan, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        list_remove(&service->node);
        list_add_tail(&master->services, &service->node);
        start_timers(service);
    }
    LIST_EACH(&merged, node)
    {
        service_free(LIST_ITEM(node, struct service, node));
    }
}

enum outcome services_apply(struct master *master, struct settings *next,
                            struct err *err)
{
    struct list plan;
    enum outcome outcome = OK;
    list_init(&plan);
    for (int i = 0; outcome == OK && i < next->services.count; i++) {
        const struct master_entry *entry = &next->services.entries[i];
        if (!is_disabled(next->conf, entry)) {
            outcome = plan_service(master, next->conf, entry, &plan, err);
        }
    }
    if (outcome != OK) {
        drop_plan(&plan);
        return outcome;
    }
    merge_plan(master, &plan);
    settings_free(&master->settings);
    master->settings = next;
    return OK;
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
