/* SPDX-License-Identifier: MIT */
/*
 * What postsuper does to one message.  Everything is one rename, one unlink or one
 * write in place, so that the queue manager, which may be at the same message,
 * sees it either before or after.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/log.h"
#include "mail/delivery_log.h"
#include "mail/queue_file.h"
#include "postsuper/postsuper.h"
#include "sys/file.h"

static const char *const PAST[ACTION_COUNT] = {
    [ACTION_REQUEUE] = "requeued",
    [ACTION_DELETE] = "removed",
    [ACTION_EXPIRE] = "expired",
    [ACTION_HOLD] = "placed on hold",
    [ACTION_RELEASE] = "released from hold",
};

void message_remove_logs(const struct postsuper *postsuper, const char *id)
{
    static const char *const LOGS[] = {QUEUE_DEFER_LOG, QUEUE_BOUNCE_LOG,
                                       QUEUE_TRACE_LOG};
    for (size_t i = 0; i < ARRAY_SIZE(LOGS); i++) {
        if (!delivery_log_remove(postsuper->dirs, LOGS[i], id)) {
            log_warning("remove file %s/%s: %m", LOGS[i], id);
        }
    }
}

bool message_applies(enum action action, const char *queue)
{
    bool held = strcmp(queue, QUEUE_HOLD) == 0;
    bool dropped = strcmp(queue, QUEUE_MAILDROP) == 0;
    switch (action) {
    case ACTION_DELETE:
        return true;
    case ACTION_REQUEUE:
    case ACTION_EXPIRE:
        return !dropped;
    case ACTION_HOLD:
        return !held && !dropped;
    case ACTION_RELEASE:
        return held;
    case ACTION_COUNT:
        break;
    }
    return false;
}

static bool move(const struct postsuper *postsuper, const char *from, const char *to,
                 const char *id)
{
    if (queue_move(postsuper->dirs, from, to, id)) {
        if (log_verbose() > 0) {
            log_info("renamed file %s/%s as %s/%s", from, id, to, id);
        }
        return true;
    }
    if (errno != ENOENT) {
        log_fatal("rename file %s/%s as %s/%s: %m", from, id, to, id);
    }
    return false;
}

static bool delete_message(const struct postsuper *postsuper, const char *queue,
                           const char *id)
{
    if (queue_remove(postsuper->dirs, queue, id)) {
        if (log_verbose() > 0) {
            log_info("removed file %s/%s", queue, id);
        }
        return true;
    }
    if (errno != ENOENT) {
        log_fatal("remove file %s/%s: %m", queue, id);
    }
    return false;
}

/* The queue manager sees the mark at the next attempt. */
static bool expire_message(const struct postsuper *postsuper, const char *queue,
                           const char *id)
{
    FD_AUTO int fd = queue_open(postsuper->dirs, queue, id, O_RDWR);
    if (fd < 0) {
        if (errno != ENOENT) {
            log_warning("expire file %s/%s: cannot open file: %m", queue, id);
        }
        return false;
    }
    unsigned state;
    if (!queue_file_get_state(fd, &state) || (state & QUEUE_STATE_FORCE_EXPIRE) != 0) {
        return false;
    }
    if (!queue_file_set_state(fd, state | QUEUE_STATE_FORCE_EXPIRE)) {
        log_fatal("expire file %s/%s: %m", queue, id);
    }
    return true;
}

bool message_act(struct postsuper *postsuper, enum action action, const char *queue,
                 const char *id)
{
    bool done = false;
    if (!message_applies(action, queue)) {
        return false;
    }
    switch (action) {
    case ACTION_DELETE:
        done = delete_message(postsuper, queue, id);
        break;
    case ACTION_REQUEUE:
        done = move(postsuper, queue, QUEUE_MAILDROP, id);
        break;
    case ACTION_EXPIRE:
        done = expire_message(postsuper, queue, id);
        break;
    case ACTION_HOLD:
        done = move(postsuper, queue, QUEUE_HOLD, id);
        break;
    case ACTION_RELEASE:
        done = move(postsuper, queue, QUEUE_DEFERRED, id);
        break;
    case ACTION_COUNT:
        break;
    }
    postsuper->done[action] += done;
    return done;
}

/* Wherever it is now; it may move while we look, so look twice. */
static void act_anywhere(struct postsuper *postsuper, enum action action,
                         const char *id)
{
    enum { ATTEMPTS = 2 };
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        for (size_t i = 0; postsuper->queues[i] != NULL; i++) {
            if (!queue_holds_messages(postsuper->queues[i]) ||
                !message_act(postsuper, action, postsuper->queues[i], id)) {
                continue;
            }
            /* Those of a requeued message pickup removes with it. */
            if (action == ACTION_DELETE) {
                message_remove_logs(postsuper, id);
            }
            log_info("%s: %s", id, PAST[action]);
            return;
        }
    }
}

void message_handle(struct postsuper *postsuper, char option, const char *id)
{
    if (!queue_id_plausible(view_cstr(id))) {
        log_warning("invalid mail queue id: %s", id);
        return;
    }
    if (!queue_id_valid(view_cstr(id))) {
        return; /* no file has such a name */
    }
    switch (option) {
    case 'd':
        act_anywhere(postsuper, ACTION_DELETE, id);
        break;
    case 'r':
        act_anywhere(postsuper, ACTION_REQUEUE, id);
        break;
    case 'e':
        act_anywhere(postsuper, ACTION_EXPIRE, id);
        break;
    case 'f':
        act_anywhere(postsuper, ACTION_EXPIRE, id);
        act_anywhere(postsuper, ACTION_RELEASE, id);
        break;
    case 'h':
        act_anywhere(postsuper, ACTION_HOLD, id);
        break;
    default:
        CHECK(option == 'H');
        act_anywhere(postsuper, ACTION_RELEASE, id);
        break;
    }
}
