/* SPDX-License-Identifier: MIT */
/*
 * One delivery in progress: a fiber that hands a job to an agent and waits for
 * what became of it.  An agent that dies on a job gets it once more (it may have
 * been killed for other reasons), without the recipients that it marked as done; the
 * second time the job is deferred.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/delivery_status.h"
#include "qmgr/qmgr.h"
#include "sys/file.h"

enum { AGENT_ATTEMPTS = 2 };

struct delivery {
    struct qmgr *qmgr;
    struct job *job;
};

static void fill_request(const struct job *job, struct arena *arena,
                         struct deliver_request *request)
{
    const struct message *message = job->message;
    const struct queue_message *file = &message->file;
    *request = (struct deliver_request){
        .queue_name = view_cstr(message->queue),
        .queue_id = view_cstr(message->id),
        .nexthop = view_cstr(job->destination->nexthop),
        .sender = file->sender,
        .file_flags = file->flags,
        .dsn_envid = queue_message_attribute(file, "envelope_id"),
        .content_offset = file->content_offset,
        .content_size = file->content_size,
        .content_sum = file->content_sum,
        .arrival_time = file->arrival_time,
        .active_time = message->active_time,
    };
    struct view ret = queue_message_attribute(file, "ret_flags");
    request->dsn_ret = ret.len == 1 ? (uint8_t)(ret.ptr[0] - '0') : DSN_RET_NONE;
    request->attributes =
        arena_alloc(arena, (file->record_count + 1) * sizeof(*request->attributes));
    for (size_t i = 0; i < file->record_count; i++) {
        if (file->records[i].type == QUEUE_RECORD_ATTRIBUTE) {
            request->attributes[request->attribute_count++] =
                file->records[i].attribute;
        }
    }
    request->recipients = arena_alloc(arena, job->count * sizeof(*request->recipients));
    request->recipient_count = job->count;
    for (size_t i = 0; i < job->count; i++) {
        request->recipients[i] = *job->recipients[i];
        request->recipients[i].address = job->addresses[i];
    }
}

/* Ask AGENT; false when it died or talked nonsense. */
static bool ask(struct agent *agent, const struct job *job, struct arena *arena,
                struct deliver_reply *reply)
{
    struct deliver_request request;
    fill_request(job, arena, &request);
    return deliver_send_request(agent->stream, &request) &&
           deliver_receive_reply(agent->stream, arena, reply) &&
           reply->count == job->count;
}

/* The job is over, and with it perhaps the message. */
static void end_job(struct qmgr *qmgr, struct job *job, bool last)
{
    struct message *message = job->message;
    struct destination *destination = job->destination;
    job_free(job);
    destination_release(qmgr, destination);
    if (last) {
        message_finish(qmgr, message);
    }
}

static void take_reply(struct qmgr *qmgr, struct job *job,
                       const struct deliver_reply *reply)
{
    if (reply->site == DELIVER_SITE_DOWN) {
        destination_failed(qmgr, job->destination, reply->site_dsn, reply->site_reason);
    } else {
        destination_succeeded(job->destination);
    }
    end_job(qmgr, job, outcome_record(qmgr, job, reply));
}

/* Not even the retry service can be reached: its work is done here. */
static void defer_in_place(struct qmgr *qmgr, struct job *job, const char *reason)
{
    struct arena arena = {0};
    int64_t now = clock_wall();
    const struct delivery_times times = {.arrival = job->message->file.arrival_time,
                                         .active = job->message->active_time,
                                         .handed = now,
                                         .done = now};
    struct deliver_reply reply = {.count = job->count};
    reply.outcomes = arena_alloc(&arena, job->count * sizeof(*reply.outcomes));
    for (size_t i = 0; i < job->count; i++) {
        reply.outcomes[i] = (struct deliver_outcome){.status = DELIVER_DEFERRED,
                                                     .dsn = VIEW("4.3.0"),
                                                     .reason = view_cstr(reason),
                                                     .relay = VIEW("none")};
        delivery_status_log(job->message->id, job->addresses[i],
                            job->recipients[i]->original, "none", &times, "4.3.0",
                            "deferred", reason);
    }
    bool last = outcome_record(qmgr, job, &reply);
    arena_clear(&arena);
    end_job(qmgr, job, last);
}

/* Have somebody else defer JOB with REASON (whose code is 4.3.0). */
static void give_up(struct qmgr *qmgr, struct job *job, const char *reason)
{
    struct destination *destination = job->destination;
    if (view_equal_cstr(VIEW(RETRY_TRANSPORT), destination->transport->name)) {
        defer_in_place(qmgr, job, reason);
        return;
    }
    char *nexthop = xasprintf("4.3.0 %s", reason);
    job_divert(qmgr, job, nexthop);
    free(nexthop);
    destination_release(qmgr, destination);
}

/* Recipients that the file says are done will not be asked for again. */
static size_t drop_delivered(struct qmgr *qmgr, struct job *job)
{
    size_t kept = 0;
    FD_AUTO int fd =
        queue_open(qmgr->dirs, job->message->queue, job->message->id, O_RDONLY);
    for (size_t i = 0; i < job->count; i++) {
        uint8_t state = RECIPIENT_PENDING;
        bool known = fd >= 0 && file_pread_all(fd, &state, 1,
                                               job->recipients[i]->state_offset) == 1;
        if (known && state == RECIPIENT_DONE) {
            job->recipients[i]->state = RECIPIENT_DONE;
            continue;
        }
        job->recipients[kept] = job->recipients[i];
        job->addresses[kept++] = job->addresses[i];
    }
    size_t dropped = job->count - kept;
    job->count = kept;
    return dropped;
}

/* Once more, unless the agent had delivered all that it was asked to. */
static void try_again(struct qmgr *qmgr, struct job *job)
{
    struct destination *destination = job->destination;
    struct message *message = job->message;
    size_t delivered = drop_delivered(qmgr, job);
    CHECK(message->unfinished >= delivered);
    message->unfinished -= delivered;
    if (job->count == 0) {
        end_job(qmgr, job, message->unfinished == 0);
        return;
    }
    destination_add_job(qmgr, destination, job);
    destination_release(qmgr, destination);
}

/* REUSED: it had answered before on this connection, so it may have retired at the very
 * moment when it was asked. */
static void agent_died(struct qmgr *qmgr, struct job *job, bool reused)
{
    if (reused && !job->excused) {
        job->excused = true;
        try_again(qmgr, job);
        return;
    }
    log_warning("%s: delivery agent %s went away without an answer", job->message->id,
                job->destination->transport->name);
    if (++job->attempts < AGENT_ATTEMPTS) {
        try_again(qmgr, job);
    } else {
        give_up(qmgr, job, "unknown mail transport error");
    }
}

static void run_delivery(struct qmgr *qmgr, struct job *job)
{
    struct transport *transport = job->destination->transport;
    struct err err;
    struct arena arena = {0};
    struct deliver_reply reply;
    /* It may have been found dead between this fiber's start and now. */
    bool dead = transport->dead_until > clock_now();
    struct agent *agent = dead ? NULL : agent_get(transport, &err);
    if (agent == NULL) {
        if (!dead) {
            log_warning("connect to transport private/%s: %s", transport->name,
                        err.text);
            transport_throttle(qmgr, transport);
        }
        give_up(qmgr, job, "mail transport unavailable");
        return;
    }
    bool reused = agent->requests > 0;
    if (!reused && transport->unproven++ == 0) {
        transport->unproven_since = clock_now();
    }
    bool answered = ask(agent, job, &arena, &reply);
    transport->unproven -= reused ? 0 : 1;
    if (answered) {
        agent->requests++;
        agent_put(qmgr, transport, agent);
        take_reply(qmgr, job, &reply);
    } else {
        agent_free(agent);
        agent_died(qmgr, job, reused);
    }
    arena_clear(&arena);
}

static void delivery_fiber(void *context)
{
    struct delivery delivery = *(struct delivery *)context;
    free(context);
    run_delivery(delivery.qmgr, delivery.job);
}

void delivery_start(struct qmgr *qmgr, struct job *job)
{
    struct delivery *delivery = xmalloc(sizeof(*delivery));
    *delivery = (struct delivery){qmgr, job};
    (void)task_spawn("delivery", delivery_fiber, delivery);
}
