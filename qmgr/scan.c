/* SPDX-License-Identifier: MIT */
/*
 * Looking into the queue directories: incoming/ for mail whose announcement was
 * lost, deferred/ for mail whose time has come (the file's modification time is
 * the time of the next attempt), active/ once at start.  New mail never waits for
 * a scan.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "qmgr/qmgr.h"
#include "service/service.h"

/* Files looked at before other fibers get their turn. */
enum { SCAN_BATCH = 64 };

static bool is_due(struct qmgr *qmgr, const char *id, int64_t now)
{
    STR_AUTO struct str path = {0};
    struct stat st;
    queue_path(qmgr->dirs, QUEUE_DEFERRED, id, &path);
    return stat(str_ptr(&path), &st) == 0 && st.st_mtime <= now / CLOCK_SECOND;
}

/* Announce what is in QUEUE (and due); false when there was no room for all. */
static bool scan_queue(struct qmgr *qmgr, const char *queue, bool all)
{
    char id[QUEUE_ID_MAX];
    int count = 0;
    bool complete = true;
    bool timed = strcmp(queue, QUEUE_DEFERRED) == 0 && !all;
    int64_t now = clock_wall();
    struct queue_scan *scan = queue_scan_open(qmgr->dirs, queue);
    while (!qmgr->service->stopping && queue_scan_next(scan, id)) {
        if (!intake_has_room(qmgr)) {
            complete = false;
            break;
        }
        if (!timed || is_due(qmgr, id, now)) {
            intake_announce(qmgr, queue, view_cstr(id));
        }
        if (++count % SCAN_BATCH == 0) {
            task_yield();
        }
    }
    queue_scan_close(&scan);
    return complete;
}

static void scan_once(struct qmgr *qmgr)
{
    if (qmgr->scan_active) {
        /* Cleared first: message_load() sets it again for a file that is still locked.
         */
        qmgr->scan_active = false;
        qmgr->scan_active = !scan_queue(qmgr, QUEUE_ACTIVE, true) || qmgr->scan_active;
    }
    if (qmgr->scan_incoming) {
        qmgr->scan_incoming = !scan_queue(qmgr, QUEUE_INCOMING, true);
    }
    if (qmgr->scan_deferred) {
        bool all = qmgr->flush_all;
        qmgr->scan_deferred = qmgr->flush_all = false;
        if (!scan_queue(qmgr, QUEUE_DEFERRED, all)) {
            qmgr->scan_deferred = true;
            qmgr->flush_all = all || qmgr->flush_all;
        }
    }
}

static void scan_fiber(void *context)
{
    struct qmgr *qmgr = context;
    const int64_t full_queue_pause = CLOCK_SECOND;
    const int64_t interval = conf_time(qmgr->conf, P_queue_run_delay);
    int64_t next_run = clock_now() + interval;
    for (;;) {
        scan_once(qmgr);
        bool unfinished =
            qmgr->scan_active || qmgr->scan_incoming || qmgr->scan_deferred;
        int64_t pause = unfinished ? clock_now() + full_queue_pause : next_run;
        if (task_cond_wait(&qmgr->scan_wanted, pause) == TASK_CANCELLED) {
            return;
        }
        if (clock_now() >= next_run) {
            qmgr->scan_incoming = qmgr->scan_deferred = true;
            next_run = clock_now() + interval;
        }
    }
}

void scan_start(struct qmgr *qmgr)
{
    qmgr->scan_active = qmgr->scan_incoming = qmgr->scan_deferred = true;
    (void)task_spawn("scan", scan_fiber, qmgr);
}
