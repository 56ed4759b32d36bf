/* SPDX-License-Identifier: MIT */
/*
 * From recipients to jobs: all recipients of a message are resolved with one
 * request, then grouped by transport and next hop.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "qmgr/qmgr.h"

/* A recipient that cannot be routed now is deferred by the retry service, whose next
 * hop is "DSN text": so the log line and the delivery log come about like any other. */
static void divert_to_retry(struct resolve_reply *reply, const char *nexthop)
{
    reply->transport = VIEW("retry");
    reply->nexthop = view_cstr(nexthop);
}

/* Collects recipients of one message for one destination, up to the request limit. */
static void add_recipient(struct message *message, struct destination *destination,
                          struct queue_recipient *rcpt, struct view address,
                          struct list *open_jobs)
{
    struct job *job = NULL;
    const size_t limit = (size_t)destination->transport->recipient_limit;
    LIST_EACH(open_jobs, node)
    {
        struct job *candidate = LIST_ITEM(node, struct job, node);
        if (candidate->destination == destination && candidate->count < limit) {
            job = candidate;
            break;
        }
    }
    if (job == NULL) {
        job = xcalloc(1, sizeof(*job));
        job->message = message;
        job->destination = destination;
        list_add_head(open_jobs, &job->node); /* recent ones are found first */
    }
    /* Grow by doubling: capacity is the next power of two. */
    if ((job->count & (job->count - 1)) == 0) {
        size_t capacity = job->count == 0 ? 1 : job->count * 2;
        job->recipients =
            xreallocarray(job->recipients, capacity, sizeof(*job->recipients));
        job->addresses =
            xreallocarray(job->addresses, capacity, sizeof(*job->addresses));
    }
    job->recipients[job->count] = rcpt;
    job->addresses[job->count++] = address;
}

/* Full jobs start at once; the list of open ones stays short. */
static void start_full_jobs(struct qmgr *qmgr, struct list *open_jobs)
{
    LIST_EACH(open_jobs, node)
    {
        struct job *job = LIST_ITEM(node, struct job, node);
        if (job->count >= (size_t)job->destination->transport->recipient_limit) {
            list_remove(&job->node);
            destination_add_job(qmgr, job->destination, job);
        }
    }
}

static void start_jobs(struct qmgr *qmgr, struct list *open_jobs)
{
    LIST_EACH(open_jobs, node)
    {
        struct job *job = LIST_ITEM(node, struct job, node);
        list_remove(&job->node);
        destination_add_job(qmgr, job->destination, job);
    }
}

static void assign(struct qmgr *qmgr, struct message *message,
                   struct resolve_reply *reply, struct queue_recipient *rcpt,
                   struct list *open_jobs)
{
    if (reply->outcome != OK) {
        divert_to_retry(reply, "4.3.0 address resolver failure");
    } else if (htab_get(qmgr->defer_transports, reply->transport) != NULL) {
        divert_to_retry(reply, "4.3.2 deferred transport");
    }
    struct transport *transport = transport_find(qmgr, reply->transport);
    struct destination *destination =
        destination_find(qmgr, transport, reply->nexthop, reply->recipient);
    if (destination->dead_until > clock_now() || transport->dead_until > clock_now()) {
        const char *reason = destination->dead_reason != NULL
                                 ? destination->dead_reason
                                 : "4.3.0 mail transport unavailable";
        divert_to_retry(reply, reason);
        transport = transport_find(qmgr, reply->transport);
        destination =
            destination_find(qmgr, transport, reply->nexthop, reply->recipient);
    }
    struct view address = arena_view(&message->arena, reply->recipient);
    add_recipient(message, destination, rcpt, address, open_jobs);
}

void message_route(struct qmgr *qmgr, struct message *message,
                   struct resolve_client *resolver)
{
    size_t count = message->recipient_count;
    if (count == 0) {
        message_finish(qmgr, message);
        return;
    }
    struct view *addresses = arena_alloc(&message->arena, count * sizeof(*addresses));
    for (size_t i = 0; i < count; i++) {
        addresses[i] = message->recipients[i]->address;
    }
    struct arena replies_arena = {0};
    struct resolve_reply *replies = NULL;
    struct err err;
    struct list open_jobs;
    list_init(&open_jobs);
    if (resolve_ask(resolver, message->file.sender, addresses, count, &replies_arena,
                    &replies, &err) != OK) {
        log_warning("%s: problem talking to the address resolver: %s", message->id,
                    err.text);
        replies = arena_alloc(&replies_arena, count * sizeof(*replies));
        for (size_t i = 0; i < count; i++) {
            replies[i] =
                (struct resolve_reply){.outcome = TEMPFAIL, .recipient = addresses[i]};
        }
    }
    /* The message must not finish while jobs are still being made. */
    message->unfinished++;
    for (size_t i = 0; i < count; i++) {
        assign(qmgr, message, &replies[i], message->recipients[i], &open_jobs);
        start_full_jobs(qmgr, &open_jobs);
    }
    start_jobs(qmgr, &open_jobs);
    arena_clear(&replies_arena);
    if (--message->unfinished == 0) {
        message_finish(qmgr, message);
    }
}
