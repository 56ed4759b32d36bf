/* SPDX-License-Identifier: MIT */
/*
 * The end of an attempt: every recipient of an active message has an outcome.
 *
 *   bounced recipients   the notice is queued (synced) before they are marked done
 *   deferred recipients  the file goes to deferred/, its mtime says when to retry
 *   nobody left          the file is removed
 *
 * If a notice cannot be queued the message stays in deferred/ and is tried again;
 * the bounced recipients have not been marked, so nothing is forgotten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "qmgr/qmgr.h"
#include "rpc/bounce.h"
#include "sys/file.h"

static enum outcome ask_bounce(struct qmgr *qmgr, struct message *message,
                               enum bounce_kind kind, enum param service)
{
    struct err err;
    struct view ret = queue_message_attribute(&message->file, "ret_flags");
    struct bounce_request request = {
        .kind = kind,
        .queue_name = VIEW(QUEUE_ACTIVE),
        .queue_id = view_cstr(message->id),
        .sender = message->file.sender,
        .dsn_envid = queue_message_attribute(&message->file, "envelope_id"),
        .dsn_ret = ret.len == 1 ? (uint8_t)(ret.ptr[0] - '0') : DSN_RET_NONE,
    };
    enum outcome outcome = bounce_ask(conf_str(qmgr->conf, service), &request, &err);
    if (outcome != OK) {
        log_warning("%s: notice to the sender could not be queued: %s", message->id,
                    err.text);
    }
    return outcome;
}

static bool is_expired(struct qmgr *qmgr, const struct message *message)
{
    int64_t lifetime = conf_time(qmgr->conf, P_maximal_queue_lifetime);
    if (message->file.sender.len == 0 &&
        conf_time(qmgr->conf, P_bounce_queue_lifetime) < lifetime) {
        lifetime = conf_time(qmgr->conf, P_bounce_queue_lifetime);
    }
    return clock_wall() - message->file.arrival_time >= lifetime;
}

/* Deferred recipients of an expired message become bounced ones. */
static void expire_deferred(struct qmgr *qmgr, struct message *message, bool forced)
{
    struct delivery_record *records = NULL;
    size_t count = 0;
    struct err err;
    log_info("%s: from=<%.*s>, status=%s, returned to sender", message->id,
             VIEW_ARG(message->file.sender), forced ? "force-expired" : "expired");
    if (delivery_log_read(qmgr->dirs, QUEUE_DEFER_LOG, message->id, &message->arena,
                          &records, &count, &err) != OK) {
        log_warning("%s: %s", message->id, err.text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        records[i].action = VIEW("failed");
    }
    if (delivery_log_append(qmgr->dirs, QUEUE_BOUNCE_LOG, message->id, records, count,
                            &err) != OK) {
        log_warning("%s: %s", message->id, err.text);
        return;
    }
    message->bounced += message->deferred;
    message->deferred = 0;
}

static bool mark_bounced(struct qmgr *qmgr, struct message *message)
{
    FD_AUTO int fd = queue_open(qmgr->dirs, QUEUE_ACTIVE, message->id, O_RDWR);
    if (fd < 0) {
        return false;
    }
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct queue_recipient *recipient = message->recipients[i];
        if (recipient->state == 'B' &&
            !queue_file_mark_done(fd, recipient->state_offset)) {
            return false;
        }
    }
    return true;
}

/* True when the sender has been told (or need not be). */
static bool send_bounces(struct qmgr *qmgr, struct message *message)
{
    if (message->log_failed) {
        return false;
    }
    if (ask_bounce(qmgr, message, BOUNCE_FAILED, P_bounce_service_name) != OK) {
        return false;
    }
    if (message->deferred > 0 && !mark_bounced(qmgr, message)) {
        log_warning("%s: mark bounced recipients: %m", message->id);
    }
    (void)delivery_log_remove(qmgr->dirs, QUEUE_BOUNCE_LOG, message->id);
    return true;
}

static void send_trace(struct qmgr *qmgr, struct message *message)
{
    if (ask_bounce(qmgr, message, BOUNCE_TRACE, P_trace_service_name) == OK) {
        (void)delivery_log_remove(qmgr->dirs, QUEUE_TRACE_LOG, message->id);
    }
}

/* Once per message, when it is older than delay_warning_time. */
static void send_delay_warning(struct qmgr *qmgr, struct message *message)
{
    int64_t limit = conf_time(qmgr->conf, P_delay_warning_time);
    if (limit == 0 || (message->file.state & QUEUE_STATE_WARNED) != 0 ||
        clock_wall() - message->file.arrival_time < limit) {
        return;
    }
    if (ask_bounce(qmgr, message, BOUNCE_DELAYED, P_defer_service_name) != OK) {
        return;
    }
    FD_AUTO int fd = queue_open(qmgr->dirs, QUEUE_ACTIVE, message->id, O_RDWR);
    if (fd < 0 || !queue_file_set_state(fd, message->file.state | QUEUE_STATE_WARNED)) {
        log_warning("%s: record the delay warning: %m", message->id);
    }
}

static void keep_for_later(struct qmgr *qmgr, struct message *message)
{
    int64_t now = clock_wall();
    int64_t pause = now - message->file.arrival_time;
    int64_t least = conf_time(qmgr->conf, P_minimal_backoff_time);
    int64_t most = conf_time(qmgr->conf, P_maximal_backoff_time);
    pause = pause < least ? least : pause;
    pause = pause > most ? most : pause;
    STR_AUTO struct str path = {0};
    queue_path(qmgr->dirs, QUEUE_ACTIVE, message->id, &path);
    int64_t due = now + pause;
    struct timespec times[2] = {{.tv_sec = due / CLOCK_SECOND},
                                {.tv_sec = due / CLOCK_SECOND}};
    if (utimensat(AT_FDCWD, str_ptr(&path), times, 0) != 0 && errno != ENOENT) {
        log_warning("%s: set time of next attempt: %m", message->id);
    }
    if (!queue_move(qmgr->dirs, QUEUE_ACTIVE, QUEUE_DEFERRED, message->id) &&
        errno != ENOENT) {
        log_warning("%s: rename to deferred: %m", message->id);
    }
}

static void remove_message(struct qmgr *qmgr, struct message *message)
{
    if (!queue_remove(qmgr->dirs, QUEUE_ACTIVE, message->id)) {
        if (errno == ENOENT) {
            return; /* postsuper was faster and has said so */
        }
        log_warning("%s: remove: %m", message->id);
    }
    if (message->bounced > 0) { /* some of them perhaps deferred ones that expired */
        (void)delivery_log_remove(qmgr->dirs, QUEUE_DEFER_LOG, message->id);
    }
    log_info("%s: removed", message->id);
}

static void message_free(struct qmgr *qmgr, struct message *message)
{
    (void)htab_remove(qmgr->by_id, view_cstr(message->id));
    list_remove(&message->node);
    arena_clear(&message->arena);
    free(message);
}

void message_finish(struct qmgr *qmgr, struct message *message)
{
    bool told = true;
    bool forced = (message->file.state & QUEUE_STATE_FORCE_EXPIRE) != 0;
    CHECK(message->unfinished == 0);
    if (message->traced > 0) {
        send_trace(qmgr, message);
    }
    if (message->deferred > 0 && (forced || is_expired(qmgr, message))) {
        expire_deferred(qmgr, message, forced);
    }
    if (message->bounced > 0) {
        told = send_bounces(qmgr, message);
    }
    if (message->deferred > 0 || !told) {
        send_delay_warning(qmgr, message);
        keep_for_later(qmgr, message);
    } else {
        remove_message(qmgr, message);
    }
    message_free(qmgr, message);
    if (intake_has_room(qmgr) && (qmgr->scan_incoming || qmgr->scan_deferred)) {
        task_cond_signal(&qmgr->scan_wanted);
    }
}
