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
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/address.h"
#include "qmgr/qmgr.h"
#include "rpc/bounce.h"
#include "sys/file.h"

static bool ask_bounce(struct qmgr *qmgr, struct message *message,
                       enum bounce_kind kind, enum param service)
{
    struct err err;
    struct view ret = queue_message_attribute(&message->file, "ret_flags");
    struct bounce_request request = {
        .kind = kind,
        .queue_name = view_cstr(message->queue),
        .queue_id = view_cstr(message->id),
        .sender = message->file.sender,
        .dsn_envid = queue_message_attribute(&message->file, "envelope_id"),
        .dsn_ret = ret.len == 1 ? (uint8_t)(ret.ptr[0] - '0') : DSN_RET_NONE,
    };
    if (bounce_ask(conf_str(qmgr->conf, service), &request, &err) == OK) {
        return true;
    }
    log_warning("%s: notice to the sender could not be queued: %s", message->id,
                err.text);
    return false;
}

/* --- expiry ---------------------------------------------------------------------- */

static bool is_expired(struct qmgr *qmgr, const struct message *message)
{
    int64_t lifetime = conf_time(qmgr->conf, P_maximal_queue_lifetime);
    if (message->file.sender.len == 0 &&
        conf_time(qmgr->conf, P_bounce_queue_lifetime) < lifetime) {
        lifetime = conf_time(qmgr->conf, P_bounce_queue_lifetime);
    }
    return clock_wall() - message->file.arrival_time >= lifetime;
}

/* What the defer log says is final now. */
static bool copy_deferred(struct qmgr *qmgr, struct message *message, struct err *err)
{
    struct delivery_record *records = NULL;
    size_t count = 0;
    size_t wanted = 0;
    if (delivery_log_read(qmgr->dirs, QUEUE_DEFER_LOG, message->id, &message->arena,
                          &records, &count, err) != OK) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (outcome_wants_failure(records[i].dsn_notify)) {
            records[wanted] = records[i];
            records[wanted++].action = VIEW("failed");
        }
    }
    return wanted == 0 || delivery_log_append(qmgr->dirs, QUEUE_BOUNCE_LOG, message->id,
                                              records, wanted, err) == OK;
}

/* Deferred recipients of an expired message become bounced ones. */
static void expire_deferred(struct qmgr *qmgr, struct message *message, bool forced)
{
    struct err err;
    STR_AUTO struct str sender = {0};
    address_quote(message->file.sender, &sender);
    log_info("%s: from=<%s>, status=%s, returned to sender", message->id,
             str_ptr(&sender), forced ? "force-expired" : "expired");
    if (message->log_failed) {
        return; /* not all is there that would have to be told */
    }
    if (!copy_deferred(qmgr, message, &err)) {
        log_warning("%s: %s", message->id, err.text);
        return;
    }
    message->bounced += message->deferred;
    message->deferred = 0;
}

/* --- notices --------------------------------------------------------------------- */

static bool mark_bounced(struct qmgr *qmgr, struct message *message)
{
    FD_AUTO int fd = queue_open(qmgr->dirs, message->queue, message->id, O_RDWR);
    if (fd < 0) {
        return false;
    }
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct queue_recipient *recipient = message->recipients[i];
        if (recipient->state == RECIPIENT_BOUNCED &&
            !queue_file_mark_done(fd, recipient->state_offset)) {
            return false;
        }
    }
    return true;
}

/* True when the sender has been told (or need not be). */
static bool send_bounces(struct qmgr *qmgr, struct message *message)
{
    if (message->bounced == 0) {
        return true;
    }
    if (message->log_failed ||
        !ask_bounce(qmgr, message, BOUNCE_FAILED, P_bounce_service_name)) {
        return false;
    }
    if (message->deferred > 0 && !mark_bounced(qmgr, message)) {
        log_warning("%s: mark bounced recipients: %m", message->id);
    }
    (void)delivery_log_remove(qmgr->dirs, QUEUE_BOUNCE_LOG, message->id);
    return true;
}

static bool send_trace(struct qmgr *qmgr, struct message *message)
{
    if (message->traced == 0) {
        return true;
    }
    if (!ask_bounce(qmgr, message, BOUNCE_TRACE, P_trace_service_name)) {
        return false;
    }
    (void)delivery_log_remove(qmgr->dirs, QUEUE_TRACE_LOG, message->id);
    return true;
}

/* Once per message, when it is older than delay_warning_time. */
static void send_delay_warning(struct qmgr *qmgr, struct message *message)
{
    int64_t limit = conf_time(qmgr->conf, P_delay_warning_time);
    if (message->deferred == 0 || limit == 0 ||
        (message->file.state & QUEUE_STATE_WARNED) != 0 ||
        clock_wall() - message->file.arrival_time < limit ||
        !ask_bounce(qmgr, message, BOUNCE_DELAYED, P_defer_service_name)) {
        return;
    }
    FD_AUTO int fd = queue_open(qmgr->dirs, message->queue, message->id, O_RDWR);
    if (fd < 0 || !queue_file_set_state(fd, message->file.state | QUEUE_STATE_WARNED)) {
        log_warning("%s: record the delay warning: %m", message->id);
    }
}

/* --- where the file goes --------------------------------------------------------- */

/* As long as it has waited already, within bounds. */
static int64_t pause_before_retry(struct qmgr *qmgr, int64_t age)
{
    int64_t least = conf_time(qmgr->conf, P_minimal_backoff_time);
    int64_t most = conf_time(qmgr->conf, P_maximal_backoff_time);
    int64_t pause = age < least ? least : age;
    return pause > most ? most : pause;
}

static void keep_for_later(struct qmgr *qmgr, struct message *message)
{
    int64_t now = clock_wall();
    int64_t due = now + pause_before_retry(qmgr, now - message->file.arrival_time);
    struct timespec times[2] = {{.tv_sec = due / CLOCK_SECOND},
                                {.tv_sec = due / CLOCK_SECOND}};
    STR_AUTO struct str path = {0};
    queue_path(qmgr->dirs, message->queue, message->id, &path);
    if (utimensat(AT_FDCWD, str_ptr(&path), times, 0) != 0 && errno != ENOENT) {
        log_warning("%s: set time of next attempt: %m", message->id);
    }
    if (!queue_move(qmgr->dirs, message->queue, QUEUE_DEFERRED, message->id) &&
        errno != ENOENT) {
        /* It stays in active/, where the next scan takes it up again. */
        log_warning("%s: rename to deferred: %m", message->id);
    }
}

static void remove_message(struct qmgr *qmgr, struct message *message)
{
    if (!message->removed && !queue_remove(qmgr->dirs, message->queue, message->id)) {
        if (errno != ENOENT) { /* else postsuper was faster and has said so */
            log_warning("%s: remove: %m", message->id);
        }
        return;
    }
    if (message->bounced > 0) { /* some of them perhaps deferred ones that expired */
        (void)delivery_log_remove(qmgr->dirs, QUEUE_DEFER_LOG, message->id);
    }
    log_info("%s: removed", message->id);
}

/* Nobody may get it, and nobody may forget it. */
static void set_aside(struct qmgr *qmgr, struct message *message)
{
    log_warning("%s: saving damaged message file to corrupt", message->id);
    if (!queue_move(qmgr->dirs, message->queue, QUEUE_CORRUPT, message->id)) {
        log_warning("rename %s/%s to corrupt: %m", message->queue, message->id);
    }
}

static void conclude(struct qmgr *qmgr, struct message *message)
{
    bool forced = (message->file.state & QUEUE_STATE_FORCE_EXPIRE) != 0;
    if (message->deferred + message->bounced + message->traced > 0 ||
        message->log_failed) {
        message_activate(qmgr, message); /* it will be here for a while */
    }
    bool told = send_trace(qmgr, message);
    if (message->deferred > 0 && (forced || is_expired(qmgr, message))) {
        expire_deferred(qmgr, message, forced);
    }
    told = send_bounces(qmgr, message) && told;
    if (message->deferred > 0 || !told) {
        send_delay_warning(qmgr, message);
        keep_for_later(qmgr, message);
    } else {
        remove_message(qmgr, message);
    }
}

void message_finish(struct qmgr *qmgr, struct message *message)
{
    CHECK(message->unfinished == 0);
    if (message->damaged) {
        set_aside(qmgr, message);
    } else {
        conclude(qmgr, message);
    }
    message_free(qmgr, message);
    if (intake_has_room(qmgr) && (qmgr->scan_incoming || qmgr->scan_deferred)) {
        task_cond_signal(&qmgr->scan_wanted);
    }
}
