/* SPDX-License-Identifier: MIT */
/*
 * What became of recipients, put where it is found again: the trace log for reports
 * that were asked for, the defer log for those who are tried again, the bounce log for
 * those the sender must be told about.  The records of one delivery are written
 * together, because the bounce log is synced.
 *
 * A recipient that was expanded (alias, .forward) has a record for each address that
 * failed.  While one of them is to be tried again the recipient is pending as a whole:
 * then all go to the defer log, and the sender hears of them when it is decided.
 */
#include "base/log.h"
#include "qmgr/qmgr.h"

enum log_kind { LOG_TRACE, LOG_DEFER, LOG_BOUNCE, LOG_KINDS };

static const char *const log_names[LOG_KINDS] = {QUEUE_TRACE_LOG, QUEUE_DEFER_LOG,
                                                 QUEUE_BOUNCE_LOG};

/* The records of one reply, by log. */
struct records {
    struct arena *arena;
    struct delivery_record *list[LOG_KINDS];
    size_t count[LOG_KINDS];
};

/* One outcome, of a recipient or of an address it was expanded to. */
struct event {
    const struct message *message;
    const struct queue_recipient *recipient;
    struct view address;
    const struct deliver_outcome *outcome;
};

bool outcome_wants_failure(uint8_t dsn_notify)
{
    return dsn_notify == 0 || (dsn_notify & DSN_NOTIFY_FAILURE) != 0;
}

/* RFC 3464 2.3.3, with the two words of verification reports. */
static struct view trace_action(const struct event *event)
{
    const struct deliver_outcome *outcome = event->outcome;
    if ((event->message->file.flags & QUEUE_FILE_VERIFY_ONLY) != 0) {
        return outcome->status == DELIVER_SENT ? VIEW("deliverable")
                                               : VIEW("undeliverable");
    }
    switch (outcome->status) {
    case DELIVER_DEFERRED:
        return VIEW("delayed");
    case DELIVER_BOUNCED:
        return VIEW("failed");
    case DELIVER_SENT:
        break;
    }
    return outcome->action.len > 0 ? outcome->action : VIEW("delivered");
}

/* Output of commands ends in blanks. */
static struct view rtrim(struct view text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == ' ') {
        text.len--;
    }
    return text;
}

static struct delivery_record *add_record(struct records *records, enum log_kind kind,
                                          const struct event *event, struct view action)
{
    const struct deliver_outcome *outcome = event->outcome;
    struct delivery_record *record = &records->list[kind][records->count[kind]++];
    *record = (struct delivery_record){
        .recipient = event->address,
        .original = event->recipient->original,
        .dsn_orcpt = event->recipient->dsn_orcpt,
        .dsn_notify = event->recipient->dsn_notify,
        .state_offset = event->recipient->state_offset,
        .dsn = outcome->dsn,
        .action = action,
        .reason = rtrim(outcome->reason),
        .mta = outcome->mta,
        .diagnostic_type = outcome->diagnostic_type,
        .diagnostic = rtrim(outcome->diagnostic),
    };
    return record;
}

static bool wants_trace(const struct event *event)
{
    const unsigned always = QUEUE_FILE_VERIFY_ONLY | QUEUE_FILE_RECORD_TRACE;
    const struct deliver_outcome *outcome = event->outcome;
    return (event->message->file.flags & always) != 0 ||
           (outcome->status == DELIVER_SENT && outcome->action.len > 0 &&
            (event->recipient->dsn_notify & DSN_NOTIFY_SUCCESS) != 0);
}

static void add_trace(struct records *records, const struct event *event)
{
    struct delivery_record *record =
        add_record(records, LOG_TRACE, event, trace_action(event));
    if (event->outcome->status != DELIVER_SENT) {
        return; /* it went nowhere */
    }
    record->reason = view_cstr(arena_printf(records->arena, "delivery via %.*s: %.*s",
                                            VIEW_ARG(event->outcome->relay),
                                            VIEW_ARG(record->reason)));
}

/* FINAL: the status of the recipient as a whole. */
static void add_event(struct records *records, const struct event *event,
                      enum deliver_status final)
{
    if (wants_trace(event)) {
        add_trace(records, event);
    }
    if ((event->message->file.flags & QUEUE_FILE_VERIFY_ONLY) != 0 ||
        event->outcome->status == DELIVER_SENT) {
        return;
    }
    if (final == DELIVER_DEFERRED) {
        (void)add_record(records, LOG_DEFER, event, VIEW("delayed"));
    } else if (outcome_wants_failure(event->recipient->dsn_notify)) {
        (void)add_record(records, LOG_BOUNCE, event, VIEW("failed"));
    }
}

/* Recipient I of JOB, whose leaves start at *LEAF. */
static void add_recipient(struct records *records, const struct job *job, size_t i,
                          const struct deliver_reply *reply, size_t *leaf)
{
    const enum deliver_status final = reply->outcomes[i].status;
    struct event event = {.message = job->message,
                          .recipient = job->recipients[i],
                          .address = job->addresses[i],
                          .outcome = &reply->outcomes[i]};
    if (*leaf == reply->leaf_count || reply->leaves[*leaf].index != i) {
        add_event(records, &event, final);
        return;
    }
    for (; *leaf < reply->leaf_count && reply->leaves[*leaf].index == i; (*leaf)++) {
        event.address = reply->leaves[*leaf].address;
        event.outcome = &reply->leaves[*leaf].outcome;
        add_event(records, &event, final);
    }
}

static void count_recipient(struct message *message, struct queue_recipient *recipient,
                            enum deliver_status status)
{
    if ((message->file.flags & QUEUE_FILE_VERIFY_ONLY) != 0) {
        return;
    }
    if (status == DELIVER_DEFERRED) {
        message->deferred++;
    } else if (status == DELIVER_BOUNCED) {
        message->bounced++;
        recipient->state = RECIPIENT_BOUNCED;
    }
}

static void write_records(struct qmgr *qmgr, struct message *message,
                          const struct records *records)
{
    struct err err;
    for (size_t i = 0; i < LOG_KINDS; i++) {
        if (records->count[i] > 0 &&
            delivery_log_append(qmgr->dirs, log_names[i], message->id, records->list[i],
                                records->count[i], &err) != OK) {
            log_warning("%s: %s", message->id, err.text);
            message->log_failed = true;
        }
    }
    message->traced += records->count[LOG_TRACE];
}

static void record_all(struct qmgr *qmgr, const struct job *job,
                       const struct deliver_reply *reply)
{
    struct arena arena = {0};
    struct records records = {.arena = &arena};
    const size_t most = reply->count + reply->leaf_count;
    size_t leaf = 0;
    for (size_t i = 0; i < LOG_KINDS; i++) {
        records.list[i] = arena_alloc(&arena, most * sizeof(*records.list[i]));
    }
    for (size_t i = 0; i < job->count; i++) {
        add_recipient(&records, job, i, reply, &leaf);
        count_recipient(job->message, job->recipients[i], reply->outcomes[i].status);
    }
    write_records(qmgr, job->message, &records);
    arena_clear(&arena);
}

bool outcome_record(struct qmgr *qmgr, const struct job *job,
                    const struct deliver_reply *reply)
{
    struct message *message = job->message;
    CHECK(reply->count == job->count && message->unfinished >= job->count);
    if (reply->damaged) {
        message->damaged = true;
    } else {
        record_all(qmgr, job, reply);
    }
    /* Writing has waited for the disk, and other jobs of the message ran meanwhile:
     * exactly the one that counts down to zero may finish it. */
    message->unfinished -= job->count;
    return message->unfinished == 0;
}
