/* SPDX-License-Identifier: MIT */
/*
 * When another worker is wanted.  maxproc counts clients: every worker says how many
 * it serves at most, the sum of these never exceeds maxproc, and a new worker is
 * wanted only when somebody knocks and none of the running ones says that it is free.
 */
#include "base/log.h"
#include "master/master.h"
#include "sys/clock.h"

struct head_count {
    unsigned processes; /* that take clients */
    unsigned clients;   /* that they, and those retiring, may have */
    bool any_available;
    bool all_full;
};

static struct head_count count_workers(const struct service *service)
{
    struct head_count count = {.all_full = true};
    LIST_EACH(&service->workers, node)
    {
        const struct worker_process *worker =
            LIST_ITEM(node, struct worker_process, node);
        count.clients += worker->clients;
        if (worker->state != WORKER_RETIRING) {
            count.processes++;
            count.any_available |= worker->state == WORKER_AVAILABLE;
            count.all_full &= worker->state == WORKER_FULL;
        }
    }
    return count;
}

unsigned service_process_limit(const struct service *service)
{
    int limit = service->entry->max_processes;
    return (unsigned)(limit >= 0 ? limit
                                 : conf_int(service->master->settings->conf,
                                            P_default_process_limit));
}

/* So many processes share the clients when all have a few. */
static unsigned wanted_processes(const struct service *service)
{
    const struct settings *settings = service->master->settings;
    unsigned limit = service_process_limit(service);
    unsigned wanted = (unsigned)conf_int(settings->conf, P_worker_processes);
    if (wanted == 0) {
        wanted = settings->processors;
    }
    CHECK(wanted > 0);
    return limit > 0 && limit < wanted ? limit : wanted;
}

/* How many clients one more worker may have; 0: no limit. */
unsigned service_next_clients(const struct service *service)
{
    unsigned limit = service_process_limit(service);
    if (limit == 0) {
        return 0;
    }
    unsigned taken = count_workers(service).clients;
    unsigned wanted = wanted_processes(service);
    unsigned share = (limit + wanted - 1) / wanted;
    CHECK(taken < limit);
    return share < limit - taken ? share : limit - taken;
}

/* Overload: what is started within STRESS_TIME is told so. */
static void report_limit(struct service *service)
{
    enum { EVERY = 3600, STRESS_TIME = 1000 };
    int64_t now = clock_now();
    service->stressed_until = now + (int64_t)STRESS_TIME * CLOCK_SECOND;
    if (service->limit_warned != 0 &&
        now - service->limit_warned < (int64_t)EVERY * CLOCK_SECOND) {
        return;
    }
    service->limit_warned = now;
    log_warning(
        "service \"%s\" (%s) has reached its process limit \"%u\": new clients may "
        "experience noticeable delays",
        service->entry->name, service->endpoint.address,
        service_process_limit(service));
}

bool service_wants_worker(struct service *service)
{
    if (service->entry == NULL || service->throttled_until != 0 ||
        service->master->stopping) {
        return false;
    }
    struct head_count count = count_workers(service);
    if (count.any_available) {
        return false;
    }
    unsigned limit = service_process_limit(service);
    bool room = limit == 0 || count.clients < limit;
    if (!room && count.all_full && count.processes > 0 && limit > 1) {
        report_limit(service);
    }
    return room && (count.processes < wanted_processes(service) || count.all_full);
}
