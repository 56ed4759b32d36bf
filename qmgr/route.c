/* SPDX-License-Identifier: MIT */
/*
 * From recipients to jobs: all recipients of a message are resolved with one
 * request, then sorted by transport, next hop and address, so that those of one
 * destination are neighbours and a next hop sees them in a stable order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "mail/address.h"
#include "mail/delivery_status.h"
#include "qmgr/qmgr.h"
#include "sys/file.h"

struct routed {
    struct queue_recipient *recipient;
    struct view transport, nexthop, address;
};

/* Jobs being made of a message's routed recipients. */
struct router {
    struct qmgr *qmgr;
    struct message *message;
    struct job *job; /* the one that takes the next neighbours, or NULL */
    size_t capacity; /* of its arrays */
};

/* --- order ----------------------------------------------------------------------- */

static int compare_views(struct view a, struct view b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_domains(struct view a, struct view b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < common; i++) {
        int order = ascii_lower(a.ptr[i]) - ascii_lower(b.ptr[i]);
        if (order != 0) {
            return order;
        }
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_routed(const void *a, const void *b)
{
    const struct routed *x = a;
    const struct routed *y = b;
    int order = compare_views(x->transport, y->transport);
    order = order != 0 ? order : compare_views(x->nexthop, y->nexthop);
    order = order != 0 ? order
                       : compare_domains(address_split(x->address).domain,
                                         address_split(y->address).domain);
    return order != 0 ? order : compare_views(x->address, y->address);
}

/* --- jobs ------------------------------------------------------------------------ */

static void start_job(struct router *router)
{
    if (router->job != NULL) {
        struct job *job = router->job;
        router->job = NULL;
        destination_add_job(router->qmgr, job->destination, job);
    }
}

static void add_to_job(struct router *router, struct destination *destination,
                       const struct routed *routed)
{
    const size_t limit = (size_t)destination->transport->recipient_limit;
    struct job *job = router->job;
    if (job != NULL && (job->destination != destination || job->count >= limit)) {
        start_job(router);
        job = NULL;
    }
    if (job == NULL) {
        job = router->job = xcalloc(1, sizeof(*job));
        job->message = router->message;
        job->destination = destination;
        router->capacity = 0;
    }
    if (job->count == router->capacity) {
        router->capacity = router->capacity > 0 ? router->capacity * 2 : 1;
        job->recipients =
            xreallocarray(job->recipients, router->capacity, sizeof(*job->recipients));
        job->addresses =
            xreallocarray(job->addresses, router->capacity, sizeof(*job->addresses));
    }
    job->recipients[job->count] = routed->recipient;
    job->addresses[job->count++] = routed->address;
}

/* What is dead now is not asked: the retry service defers for it. */
static struct destination *living_destination(struct qmgr *qmgr,
                                              const struct routed *routed)
{
    struct transport *transport = transport_find(qmgr, routed->transport);
    struct destination *destination =
        destination_find(transport, routed->nexthop, routed->address);
    const char *reason = NULL;
    if (transport->dead_until > clock_now()) {
        reason = "4.3.0 mail transport unavailable";
    } else if (destination_is_dead(destination)) {
        reason = destination->dead_reason;
    }
    if (reason == NULL || view_equal_cstr(routed->transport, RETRY_TRANSPORT)) {
        return destination;
    }
    return destination_find(transport_find(qmgr, VIEW(RETRY_TRANSPORT)),
                            view_cstr(reason), routed->address);
}

static void make_jobs(struct router *router, const struct routed *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_to_job(router, living_destination(router->qmgr, &list[i]), &list[i]);
    }
    start_job(router);
}

/* --- resolving ------------------------------------------------------------------- */

/* A recipient that cannot be routed now is deferred by the retry service, whose next
 * hop is "DSN text": so the log line and the delivery log come about like any other. */
static void divert(struct routed *routed, const char *reason)
{
    routed->transport = VIEW(RETRY_TRANSPORT);
    routed->nexthop = view_cstr(reason);
}

/* A notice to the postmaster about a notice that could not be delivered, and now it
 * cannot be delivered either: it ends here, without any help of a local user. */
static bool is_double_bounce(const struct qmgr *qmgr, const struct resolve_reply *reply)
{
    const char *name = conf_str(qmgr->conf, P_double_bounce_sender);
    return reply->outcome == OK && reply->address_class == CLASS_LOCAL &&
           view_equal_nocase_cstr(address_split(reply->recipient).local, name);
}

static void discard(struct qmgr *qmgr, struct message *message,
                    struct queue_recipient *recipient, struct view address)
{
    int64_t now = clock_wall();
    const struct delivery_times times = {.arrival = message->file.arrival_time,
                                         .active = message->active_time,
                                         .handed = now,
                                         .done = now};
    FD_AUTO int fd = queue_open(qmgr->dirs, message->queue, message->id, O_RDWR);
    if (fd < 0 || !queue_file_mark_done(fd, recipient->state_offset)) {
        log_warning("%s: mark recipient as done: %m", message->id);
    }
    delivery_status_log(message->id, address, recipient->original, "none", &times,
                        "2.0.0", "sent",
                        "undeliverable postmaster notification discarded");
    recipient->state = RECIPIENT_DONE;
    message->unfinished--;
}

static struct resolve_reply *resolve_all(struct message *message,
                                         struct resolve_client *resolver)
{
    size_t count = message->recipient_count;
    struct arena *arena = &message->arena;
    struct resolve_reply *replies = NULL;
    struct err err;
    struct view *addresses = arena_alloc(arena, count * sizeof(*addresses));
    for (size_t i = 0; i < count; i++) {
        addresses[i] = message->recipients[i]->address;
    }
    if (resolve_ask(resolver, message->file.sender, addresses, count, arena, &replies,
                    &err) != OK) {
        log_warning("%s: problem talking to the address resolver: %s", message->id,
                    err.text);
        replies = arena_alloc(arena, count * sizeof(*replies));
        for (size_t i = 0; i < count; i++) {
            replies[i] = (struct resolve_reply){.outcome = TEMPFAIL};
        }
    }
    return replies;
}

/* Fill LIST; recipients that need no delivery are left out. */
static size_t route_all(struct qmgr *qmgr, struct message *message,
                        const struct resolve_reply *replies, struct routed *list)
{
    size_t used = 0;
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct queue_recipient *recipient = message->recipients[i];
        const struct resolve_reply *reply = &replies[i];
        struct routed *routed = &list[used];
        if (is_double_bounce(qmgr, reply)) {
            discard(qmgr, message, recipient, reply->recipient);
            continue;
        }
        *routed = (struct routed){recipient, reply->transport, reply->nexthop,
                                  reply->recipient};
        if (reply->outcome != OK) {
            routed->address = recipient->address;
            divert(routed, "4.3.0 address resolver failure");
        } else if (htab_get(qmgr->defer_transports, reply->transport) != NULL) {
            divert(routed, "4.3.2 deferred transport");
        }
        used++;
    }
    return used;
}

void message_dispatch(struct qmgr *qmgr, struct message *message,
                      const struct resolve_reply *replies)
{
    struct router router = {.qmgr = qmgr, .message = message};
    struct routed *list =
        arena_alloc(&message->arena, (message->recipient_count + 1) * sizeof(*list));
    size_t count = route_all(qmgr, message, replies, list);
    if (message->unfinished == 0) {
        message_finish(qmgr, message);
        return;
    }
    qsort(list, count, sizeof(*list), compare_routed);
    /* Deliveries run in fibers of their own, not before this one waits. */
    make_jobs(&router, list, count);
}

void message_route(struct qmgr *qmgr, struct message *message,
                   struct resolve_client *resolver)
{
    if (message->recipient_count == 0) {
        message_finish(qmgr, message);
    } else {
        message_dispatch(qmgr, message, resolve_all(message, resolver));
    }
}
