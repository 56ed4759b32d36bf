/* SPDX-License-Identifier: MIT */
/*
 * One delivery in progress: a fiber that hands a job to an agent and waits for
 * what became of it; or several jobs of one destination that had to wait, one after the
 * other, if the agent likes that (it syncs their files together).  An agent that dies
 * on a job gets it once more (it may have been killed for other reasons), without the
 * recipients that it marked as done; the second time the job is deferred.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/delivery_status.h"
#include "qmgr/qmgr.h"
#include "sys/file.h"

enum { AGENT_ATTEMPTS = 2, BATCH_MOST = 32 };

struct delivery {
    struct qmgr *qmgr;
    struct destination *destination;
    struct arena arena; /* of requests and replies */
    struct job *jobs[BATCH_MOST];
    size_t count;
    struct message *finished[BATCH_MOST]; /* their last recipient has an outcome */
    size_t finished_count;
};

/* Nothing else of the message is in progress or to be told: who sends this sends all.
 */
static bool is_last(const struct job *job)
{
    const struct message *message = job->message;
    const unsigned reported = QUEUE_FILE_VERIFY_ONLY | QUEUE_FILE_RECORD_TRACE;
    bool wanted = (message->file.flags & reported) != 0 ||
                  message->deferred + message->bounced + message->traced > 0 ||
                  message->log_failed || message->unfinished != job->count;
    for (size_t i = 0; i < job->count && !wanted; i++) {
        wanted = (job->recipients[i]->dsn_notify & DSN_NOTIFY_SUCCESS) != 0;
    }
    return !wanted;
}

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
        .more_follows = destination_is_busy(job->destination),
        .may_remove = is_last(job),
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

/* All requests in one write; false when the agent has died. */
static bool ask(struct agent *agent, struct delivery *delivery)
{
    for (size_t i = 0; i < delivery->count; i++) {
        struct deliver_request request;
        fill_request(delivery->jobs[i], &delivery->arena, &request);
        if (!deliver_put_request(agent->stream, &request)) {
            return false;
        }
    }
    return stream_flush(agent->stream);
}

/* False when it died or talked nonsense. */
static bool receive(struct agent *agent, struct delivery *delivery, size_t index,
                    struct deliver_reply *reply)
{
    return deliver_receive_reply(agent->stream, &delivery->arena, reply) &&
           reply->count == delivery->jobs[index]->count;
}

/* The job is over, and with it perhaps the message. */
static void end_job(struct delivery *delivery, struct job *job, bool last)
{
    if (last) {
        CHECK(delivery->finished_count < BATCH_MOST);
        delivery->finished[delivery->finished_count++] = job->message;
    }
    job_free(job);
}

static void take_reply(struct delivery *delivery, struct job *job,
                       const struct deliver_reply *reply)
{
    struct destination *destination = delivery->destination;
    if (reply->site == DELIVER_SITE_DOWN) {
        destination_failed(delivery->qmgr, destination, reply->site_dsn,
                           reply->site_reason);
    } else {
        destination_succeeded(destination);
    }
    destination->transport->batch = reply->batch;
    job->message->removed = job->message->removed || reply->removed;
    end_job(delivery, job, outcome_record(delivery->qmgr, job, reply));
}

/* Not even the retry service can be reached: its work is done here. */
static void defer_in_place(struct delivery *delivery, struct job *job,
                           const char *reason)
{
    struct arena *arena = &delivery->arena;
    int64_t now = clock_wall();
    const struct delivery_times times = {.arrival = job->message->file.arrival_time,
                                         .active = job->message->active_time,
                                         .handed = now,
                                         .done = now};
    struct deliver_reply reply = {.count = job->count};
    reply.outcomes = arena_alloc(arena, job->count * sizeof(*reply.outcomes));
    for (size_t i = 0; i < job->count; i++) {
        reply.outcomes[i] = (struct deliver_outcome){.status = DELIVER_DEFERRED,
                                                     .dsn = VIEW("4.3.0"),
                                                     .reason = view_cstr(reason),
                                                     .relay = VIEW("none")};
        delivery_status_log(job->message->id, job->addresses[i],
                            job->recipients[i]->original, "none", &times, "4.3.0",
                            "deferred", reason);
    }
    end_job(delivery, job, outcome_record(delivery->qmgr, job, &reply));
}

/* Have somebody else defer JOB with REASON (whose code is 4.3.0). */
static void give_up(struct delivery *delivery, struct job *job, const char *reason)
{
    const char *transport = delivery->destination->transport->name;
    if (view_equal_cstr(VIEW(RETRY_TRANSPORT), transport)) {
        defer_in_place(delivery, job, reason);
        return;
    }
    char *nexthop = xasprintf("4.3.0 %s", reason);
    job_divert(delivery->qmgr, job, nexthop);
    free(nexthop);
}

/* Recipients that the file says are done will not be asked for again; a file that is
 * gone was removed by the agent, which had sent all. */
static size_t drop_delivered(struct qmgr *qmgr, struct job *job)
{
    size_t kept = 0;
    FD_AUTO int fd =
        queue_open(qmgr->dirs, job->message->queue, job->message->id, O_RDONLY);
    job->message->removed = job->message->removed || (fd < 0 && errno == ENOENT);
    for (size_t i = 0; i < job->count; i++) {
        uint8_t state = job->message->removed ? RECIPIENT_DONE : RECIPIENT_PENDING;
        bool known = fd < 0 || file_pread_all(fd, &state, 1,
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
static void try_again(struct delivery *delivery, struct job *job)
{
    struct message *message = job->message;
    size_t delivered = drop_delivered(delivery->qmgr, job);
    CHECK(message->unfinished >= delivered);
    message->unfinished -= delivered;
    if (job->count == 0) {
        end_job(delivery, job, message->unfinished == 0);
    } else {
        destination_add_job(delivery->qmgr, delivery->destination, job);
    }
}

/* REUSED: it had answered before on this connection, so it may have retired at the very
 * moment when it was asked.  FIRST: the job that it had in hand. */
static void agent_died(struct delivery *delivery, struct job *job, bool reused,
                       bool first)
{
    if (!first || (reused && !job->excused)) {
        job->excused = job->excused || first;
        try_again(delivery, job);
        return;
    }
    log_warning("%s: delivery agent %s went away without an answer", job->message->id,
                delivery->destination->transport->name);
    if (++job->attempts < AGENT_ATTEMPTS) {
        try_again(delivery, job);
    } else {
        give_up(delivery, job, "unknown mail transport error");
    }
}

/* Ask AGENT and take its answers; the connection is kept if it has given them all. */
static void use_agent(struct delivery *delivery, struct agent *agent)
{
    struct transport *transport = delivery->destination->transport;
    struct deliver_reply replies[BATCH_MOST];
    bool reused = agent->requests > 0;
    size_t answered = 0;
    if (!reused && transport->unproven++ == 0) {
        transport->unproven_since = clock_now();
    }
    if (ask(agent, delivery)) {
        while (answered < delivery->count &&
               receive(agent, delivery, answered, &replies[answered])) {
            answered++;
        }
    }
    transport->unproven -= reused ? 0 : 1;
    agent->requests += (int)answered;
    if (answered == delivery->count) {
        agent_put(delivery->qmgr, transport, agent);
    } else {
        agent_free(agent);
    }
    for (size_t i = 0; i < answered; i++) {
        take_reply(delivery, delivery->jobs[i], &replies[i]);
    }
    for (size_t i = answered; i < delivery->count; i++) {
        agent_died(delivery, delivery->jobs[i], reused, i == answered);
    }
}

static void give_all_up(struct delivery *delivery, bool dead, const struct err *err)
{
    struct transport *transport = delivery->destination->transport;
    if (!dead) {
        log_warning("connect to transport private/%s: %s", transport->name, err->text);
        transport_throttle(delivery->qmgr, transport);
    }
    for (size_t i = 0; i < delivery->count; i++) {
        give_up(delivery, delivery->jobs[i], "mail transport unavailable");
    }
}

static void delivery_fiber(void *context)
{
    struct delivery *delivery = context;
    struct transport *transport = delivery->destination->transport;
    struct err err;
    /* It may have been found dead between this fiber's start and now. */
    bool dead = transport->dead_until > clock_now();
    struct agent *agent = dead ? NULL : agent_get(transport, &err);
    if (agent == NULL) {
        give_all_up(delivery, dead, &err);
    } else {
        use_agent(delivery, agent);
    }
    destination_release(delivery->qmgr, delivery->destination);
    for (size_t i = 0; i < delivery->finished_count; i++) {
        message_finish(delivery->qmgr, delivery->finished[i]);
    }
    arena_clear(&delivery->arena);
    free(delivery);
}

void delivery_start(struct qmgr *qmgr, struct job *job)
{
    struct delivery *delivery = xcalloc(1, sizeof(*delivery));
    struct transport *transport = job->destination->transport;
    size_t most = transport->batch < BATCH_MOST ? transport->batch : BATCH_MOST;
    delivery->qmgr = qmgr;
    delivery->destination = job->destination;
    delivery->jobs[delivery->count++] = job;
    if (most > 1) {
        delivery->count +=
            destination_take_more(job->destination, delivery->jobs + 1, most - 1);
    }
    (void)task_spawn("delivery", delivery_fiber, delivery);
}
