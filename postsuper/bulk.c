/* SPDX-License-Identifier: MIT */
/*
 * "ALL": each queue is walked once per pass, and no file is opened unless it must
 * be marked.  Logs go in one walk of their own, not one by one, and hash directories go
 * whole (directory.c) unless each file is to be named.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "postsuper/postsuper.h"
#include "sys/clock.h"

/* What takes longer goes on behind the caller's back: what is deleted is deleted, and
 * only the room it took is not free yet. */
static const int64_t PATIENCE = (int64_t)250 * CLOCK_MILLISECOND;

bool postsuper_has_queue(const struct postsuper *postsuper, const char *queue)
{
    for (size_t i = 0; postsuper->queues[i] != NULL; i++) {
        if (strcmp(postsuper->queues[i], queue) == 0) {
            return true;
        }
    }
    return false;
}

/* All that lies in a log directory, whoever it belonged to. */
static void wipe_logs(const struct postsuper *postsuper, const char *queue)
{
    if (log_verbose() == 0) {
        (void)directories_delete(postsuper, queue, false);
    }
    struct queue_scan *scan = queue_scan_open(postsuper->dirs, queue);
    struct queue_entry entry;
    STR_AUTO struct str path = {0};
    while (queue_scan_next_entry(scan, &entry)) {
        str_clear(&path);
        str_printf(&path, "%s/%s", entry.directory, entry.name);
        if (unlink(str_ptr(&path)) != 0 && errno != ENOENT) {
            log_fatal("remove file %s: %m", str_ptr(&path));
        }
        if (log_verbose() > 0) {
            log_info("removed file %s", str_ptr(&path));
        }
    }
    queue_scan_close(&scan);
}

/* Were the logs of messages in QUEUE wiped before it was walked, or must they go one by
 * one? Active messages get new ones at any time. */
static bool needs_log_removal(const struct postsuper *postsuper, const char *queue)
{
    return strcmp(queue, QUEUE_ACTIVE) == 0 ||
           !postsuper_has_queue(postsuper, QUEUE_DEFER_LOG) ||
           !postsuper_has_queue(postsuper, QUEUE_BOUNCE_LOG);
}

static void handle_message(struct postsuper *postsuper,
                           const bool actions[ACTION_COUNT], const char *queue,
                           const char *id)
{
    if (actions[ACTION_DELETE]) {
        if (message_act(postsuper, ACTION_DELETE, queue, id) &&
            needs_log_removal(postsuper, queue)) {
            message_remove_logs(postsuper, id);
        }
        return;
    }
    if (actions[ACTION_REQUEUE] && message_applies(ACTION_REQUEUE, queue)) {
        (void)message_act(postsuper, ACTION_REQUEUE, queue, id);
        return;
    }
    if (actions[ACTION_EXPIRE]) {
        (void)message_act(postsuper, ACTION_EXPIRE, queue, id);
    }
    if (actions[ACTION_HOLD]) {
        (void)message_act(postsuper, ACTION_HOLD, queue, id);
    }
    if (actions[ACTION_RELEASE]) {
        (void)message_act(postsuper, ACTION_RELEASE, queue, id);
    }
}

static bool applies_somehow(const bool actions[ACTION_COUNT], const char *queue)
{
    for (int action = 0; action < ACTION_COUNT; action++) {
        if (actions[action] && message_applies((enum action)action, queue)) {
            return true;
        }
    }
    return false;
}

static void handle_directories(struct postsuper *postsuper,
                               const bool actions[ACTION_COUNT], const char *queue)
{
    if (actions[ACTION_DELETE]) {
        postsuper->done[ACTION_DELETE] +=
            directories_delete(postsuper, queue, needs_log_removal(postsuper, queue));
    } else if (actions[ACTION_REQUEUE] && message_applies(ACTION_REQUEUE, queue)) {
        postsuper->done[ACTION_REQUEUE] += directories_requeue(postsuper, queue);
    }
}

static void handle_queue(struct postsuper *postsuper, const bool actions[ACTION_COUNT],
                         const char *queue)
{
    char id[QUEUE_ID_MAX];
    if (!applies_somehow(actions, queue)) {
        return;
    }
    if (log_verbose() == 0) {
        handle_directories(postsuper, actions, queue);
    }
    struct queue_scan *scan = queue_scan_open(postsuper->dirs, queue);
    while (queue_scan_next(scan, id)) {
        handle_message(postsuper, actions, queue, id);
    }
    queue_scan_close(&scan);
}

static void handle_all(struct postsuper *postsuper, const bool actions[ACTION_COUNT])
{
    for (size_t i = 0; postsuper->queues[i] != NULL; i++) {
        const char *queue = postsuper->queues[i];
        if (log_verbose() > 0) {
            log_info("queue: %s", queue);
        }
        if (queue_holds_messages(queue)) {
            handle_queue(postsuper, actions, queue);
        } else if (actions[ACTION_DELETE] && strcmp(queue, "flush") != 0) {
            wipe_logs(postsuper, queue);
        }
    }
}

void bulk_handle(struct postsuper *postsuper, const bool actions[ACTION_COUNT])
{
    handle_all(postsuper, actions);
    if (actions[ACTION_DELETE]) {
        handle_all(postsuper, actions); /* what changed queues behind our back */
        directories_remove_deleted(postsuper->queues, PATIENCE);
    }
}
