/* SPDX-License-Identifier: MIT */
/*
 * A message in memory: reading its file when it becomes active, and recording
 * what became of each recipient.
 *
 * A file that is not complete is debris of a crash unless somebody still writes
 * it, which the writer's lock tells.  A damaged file goes to corrupt/, never to
 * an agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/address.h"
#include "qmgr/qmgr.h"
#include "sys/file.h"

static void drop_debris(struct qmgr *qmgr, const char *id)
{
    log_warning("%s: removing incomplete message file (never acknowledged)", id);
    if (!queue_remove(qmgr->dirs, QUEUE_ACTIVE, id)) {
        log_warning("remove active/%s: %m", id);
    }
}

static void set_aside(struct qmgr *qmgr, const char *id, const struct err *err)
{
    log_warning("%s: saving damaged message file to corrupt: %s", id, err->text);
    if (!queue_move(qmgr->dirs, QUEUE_ACTIVE, QUEUE_CORRUPT, id)) {
        log_warning("rename active/%s to corrupt: %m", id);
    }
}

static bool is_empty(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size == 0;
}

/* Lock-protected look into the file; false: not ours to take now (dealt with). */
static bool read_file(struct qmgr *qmgr, struct message *message)
{
    FD_AUTO int fd = queue_open(qmgr->dirs, QUEUE_ACTIVE, message->id, O_RDONLY);
    if (fd < 0) {
        if (errno != ENOENT) {
            log_warning("open active/%s: %m", message->id);
        }
        return false;
    }
    /* A writer, or a delivery agent that outlived the previous queue manager. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (!message->had_logs) {
            if (!queue_move(qmgr->dirs, QUEUE_ACTIVE, QUEUE_INCOMING, message->id)) {
                log_warning("rename active/%s to incoming: %m", message->id);
            }
            qmgr->scan_incoming = true;
        } else {
            qmgr->scan_active = true;
        }
        return false;
    }
    struct err err;
    switch (queue_file_read(fd, &message->arena, &message->file, &err)) {
    case OK:
        return true;
    case TEMPFAIL:
        log_warning("%s: %s", message->id, err.text);
        qmgr->scan_active = true;
        return false;
    case PERMFAIL:
        break;
    }
    if (is_empty(fd)) {
        drop_debris(qmgr, message->id);
    } else {
        set_aside(qmgr, message->id, &err);
    }
    return false;
}

static int compare_views(struct view a, struct view b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* By domain, then local part: neighbours of one destination stay together. */
static int compare_recipients(const void *a, const void *b)
{
    const struct queue_recipient *const *x = a;
    const struct queue_recipient *const *y = b;
    struct address_parts left = address_split((*x)->address);
    struct address_parts right = address_split((*y)->address);
    int order = compare_views(left.domain, right.domain);
    return order != 0 ? order : compare_views(left.local, right.local);
}

static void collect_pending(struct message *message)
{
    struct queue_message *file = &message->file;
    message->recipients = arena_alloc(
        &message->arena, (file->recipients_pending + 1) * sizeof(*message->recipients));
    for (size_t i = 0; i < file->record_count; i++) {
        struct queue_record *record = &file->records[i];
        if (record->type == QUEUE_RECORD_RECIPIENT &&
            record->recipient.state == RECIPIENT_PENDING) {
            CHECK(message->recipient_count < file->recipients_pending);
            message->recipients[message->recipient_count++] = &record->recipient;
        }
    }
    qsort(message->recipients, message->recipient_count, sizeof(*message->recipients),
          compare_recipients);
    message->unfinished = message->recipient_count;
}

/* Whoever is not marked done is tried again: what earlier attempts recorded is void. */
static void drop_old_logs(struct qmgr *qmgr, const char *id)
{
    (void)delivery_log_remove(qmgr->dirs, QUEUE_DEFER_LOG, id);
    (void)delivery_log_remove(qmgr->dirs, QUEUE_BOUNCE_LOG, id);
}

struct message *message_load(struct qmgr *qmgr, const char *id, bool had_logs)
{
    struct message *message = xcalloc(1, sizeof(*message));
    CHECK(strlen(id) < sizeof(message->id));
    strncpy(message->id, id, sizeof(message->id) - 1);
    message->had_logs = had_logs;
    message->active_time = clock_wall();
    if (!read_file(qmgr, message)) {
        arena_clear(&message->arena);
        free(message);
        return NULL;
    }
    if (had_logs) {
        drop_old_logs(qmgr, id);
    }
    collect_pending(message);
    list_add_tail(&qmgr->messages, &message->node);
    (void)htab_put(qmgr->by_id, view_cstr(message->id), message);
    log_info("%s: from=<%.*s>, size=%lld, nrcpt=%zu (queue active)", message->id,
             VIEW_ARG(message->file.sender), (long long)message->file.content_size,
             message->recipient_count);
    return message;
}

static const char *action_of(const struct deliver_outcome *outcome)
{
    switch (outcome->status) {
    case DELIVER_DEFERRED:
        return "delayed";
    case DELIVER_BOUNCED:
        return "failed";
    case DELIVER_SENT:
        break;
    }
    return "delivered";
}

/* Output of commands ends in blanks. */
static struct view rtrim(struct view text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == ' ') {
        text.len--;
    }
    return text;
}

static void append_record(struct qmgr *qmgr, struct message *message, const char *log,
                          const struct queue_recipient *recipient, struct view address,
                          const struct deliver_outcome *outcome)
{
    struct err err;
    struct delivery_record record = {
        .recipient = address,
        .original = recipient->original,
        .dsn_orcpt = recipient->dsn_orcpt,
        .dsn_notify = recipient->dsn_notify,
        .state_offset = recipient->state_offset,
        .dsn = outcome->dsn,
        .action =
            outcome->action.len > 0 ? outcome->action : view_cstr(action_of(outcome)),
        .reason = rtrim(outcome->reason),
        .mta = outcome->mta,
        .diagnostic_type = outcome->diagnostic_type,
        .diagnostic = outcome->diagnostic,
    };
    if (delivery_log_append(qmgr->dirs, log, message->id, &record, 1, &err) != OK) {
        log_warning("%s: %s", message->id, err.text);
        message->log_failed = true;
    }
}

/* RFC 3461: NOTIFY=NEVER, or a NOTIFY without FAILURE, asks for no notice. */
static bool wants_failure(const struct queue_recipient *recipient)
{
    return recipient->dsn_notify == 0 ||
           (recipient->dsn_notify & DSN_NOTIFY_FAILURE) != 0;
}

void message_outcome(struct qmgr *qmgr, struct message *message,
                     struct queue_recipient *recipient, struct view address,
                     const struct deliver_outcome *outcome)
{
    const unsigned report = QUEUE_FILE_VERIFY_ONLY | QUEUE_FILE_RECORD_TRACE;
    if ((message->file.flags & report) != 0 ||
        (outcome->status == DELIVER_SENT && outcome->action.len > 0 &&
         (recipient->dsn_notify & DSN_NOTIFY_SUCCESS) != 0)) {
        append_record(qmgr, message, QUEUE_TRACE_LOG, recipient, address, outcome);
        message->traced++;
    }
    if ((message->file.flags & QUEUE_FILE_VERIFY_ONLY) != 0) {
        return;
    }
    if (outcome->status == DELIVER_DEFERRED) {
        append_record(qmgr, message, QUEUE_DEFER_LOG, recipient, address, outcome);
        message->deferred++;
    } else if (outcome->status == DELIVER_BOUNCED) {
        message->bounced++;
        recipient->state =
            'B'; /* in memory: marked in the file when the notice is queued */
        if (wants_failure(recipient)) {
            append_record(qmgr, message, QUEUE_BOUNCE_LOG, recipient, address, outcome);
        }
    }
}
