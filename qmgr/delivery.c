/* SPDX-License-Identifier: MIT */
/*
 * One delivery in progress: a fiber that hands a job to an agent and waits for
 * what became of it.  An agent that dies on a job gets it once more (it may have
 * been killed for other reasons); the second time the job is deferred.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "qmgr/qmgr.h"

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
        .queue_name = VIEW(QUEUE_ACTIVE),
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
    stream_set_timeout(agent->stream, CLOCK_NEVER);
    return deliver_send_request(agent->stream, &request) &&
           deliver_receive_reply(agent->stream, arena, reply) &&
           reply->count == job->count;
}

static void defer_all(struct qmgr *qmgr, const struct job *job, const char *dsn,
                      const char *reason)
{
    struct deliver_outcome outcome = {
        .status = DELIVER_DEFERRED, .dsn = view_cstr(dsn), .reason = view_cstr(reason)};
    for (size_t i = 0; i < job->count; i++) {
        log_info("%s: to=<%.*s>, relay=none, delay=0, delays=0/0/0/0, dsn=%s, "
                 "status=deferred (%s)",
                 job->message->id, VIEW_ARG(job->addresses[i]), dsn, reason);
        message_outcome(qmgr, job->message, job->recipients[i], job->addresses[i],
                        &outcome);
    }
}

static void record_reply(struct qmgr *qmgr, const struct job *job,
                         const struct deliver_reply *reply)
{
    for (size_t i = 0; i < job->count; i++) {
        message_outcome(qmgr, job->message, job->recipients[i], job->addresses[i],
                        &reply->outcomes[i]);
    }
    if (reply->site == DELIVER_SITE_DOWN) {
        destination_failed(qmgr, job->destination, reply->site_dsn, reply->site_reason);
    } else {
        destination_succeeded(job->destination);
    }
}

/* Let the next one go; the job is over for this fiber. */
static void release(struct qmgr *qmgr, struct destination *destination)
{
    struct transport *transport = destination->transport;
    destination->busy--;
    transport->busy--;
    if (destination->job_count > 0 && list_empty(&destination->node) &&
        destination->busy < destination->window) {
        list_add_tail(&transport->ready, &destination->node);
    }
    transport_run(qmgr, transport);
}

static void job_done(struct qmgr *qmgr, struct job *job)
{
    struct message *message = job->message;
    struct destination *destination = job->destination;
    CHECK(message->unfinished >= job->count);
    /* Recording waits for the disk, so other jobs of the message run meanwhile: exactly
     * the one that counts down to zero may finish it. */
    message->unfinished -= job->count;
    bool last = message->unfinished == 0;
    job_free(job);
    release(qmgr, destination);
    if (last) {
        message_finish(qmgr, message);
    }
}

/* The agent is gone: once more, or defer. */
static void agent_died(struct qmgr *qmgr, struct job *job)
{
    struct destination *destination = job->destination;
    log_warning("%s: delivery agent %s went away without an answer", job->message->id,
                destination->transport->name);
    if (++job->attempts < AGENT_ATTEMPTS) {
        destination->busy--;
        destination->transport->busy--;
        destination_add_job(qmgr, destination, job);
        return;
    }
    defer_all(qmgr, job, "4.3.0", "unknown mail transport error");
    job_done(qmgr, job);
}

static void no_agent(struct qmgr *qmgr, struct job *job, const struct err *err)
{
    struct transport *transport = job->destination->transport;
    log_warning("connect to transport private/%s: %s", transport->name, err->text);
    transport_throttle(qmgr, transport);
    defer_all(qmgr, job, "4.3.0", "mail transport unavailable");
    job_done(qmgr, job);
}

static void run_delivery(struct qmgr *qmgr, struct job *job)
{
    struct transport *transport = job->destination->transport;
    struct err err;
    struct arena arena = {0};
    struct deliver_reply reply;
    struct agent *agent = agent_get(transport, &err);
    if (agent == NULL) {
        no_agent(qmgr, job, &err);
        return;
    }
    bool unproven = agent->requests == 0;
    transport->unproven += unproven ? 1 : 0;
    bool answered = ask(agent, job, &arena, &reply);
    transport->unproven -= unproven ? 1 : 0;
    if (!answered) {
        bool kept = !unproven;
        agent_free(agent);
        if (kept) {
            job->attempts--; /* it may have retired just now: that is nobody's failure
                              */
        }
        agent_died(qmgr, job);
    } else {
        agent->requests++;
        agent_put(qmgr, transport, agent);
        record_reply(qmgr, job, &reply);
        job_done(qmgr, job);
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
