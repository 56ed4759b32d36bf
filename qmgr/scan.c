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

/* True when the flag was set; cleared before the scan, because whoever finds a file
 * locked meanwhile sets it again. */
static bool take(bool *flag)
{
    bool was = *flag;
    *flag = false;
    return was;
}

static void scan_once(struct qmgr *qmgr)
{
    if (take(&qmgr->scan_active) && !scan_queue(qmgr, QUEUE_ACTIVE, true)) {
        qmgr->scan_active = true;
    }
    if (take(&qmgr->scan_incoming) && !scan_queue(qmgr, QUEUE_INCOMING, true)) {
        qmgr->scan_incoming = true;
    }
    if (take(&qmgr->scan_deferred)) {
        bool all = take(&qmgr->flush_all);
        if (!scan_queue(qmgr, QUEUE_DEFERRED, all)) {
            qmgr->scan_deferred = true;
            qmgr->flush_all = all || qmgr->flush_all;
        }
    }
}

static void scan_fiber(void *context)
{
    struct qmgr *qmgr = context;
    const int64_t interval = conf_time(qmgr->conf, P_queue_run_delay);
    int64_t next_run = clock_now() + interval;
    for (;;) {
        scan_once(qmgr);
        if (task_cond_wait(&qmgr->scan_wanted, next_run) == TASK_CANCELLED) {
            return;
        }
        if (clock_now() >= next_run) {
            /* active/ too: what could not be moved out of it lies there. */
            qmgr->scan_active = qmgr->scan_incoming = qmgr->scan_deferred = true;
            next_run = clock_now() + interval;
        }
    }
}

void scan_remind(struct qmgr *qmgr)
{
    bool wanted = qmgr->scan_active || qmgr->scan_incoming || qmgr->scan_deferred;
    if (wanted && intake_has_room(qmgr)) {
        task_cond_signal(&qmgr->scan_wanted);
    }
}

void scan_start(struct qmgr *qmgr)
{
    qmgr->scan_active = qmgr->scan_incoming = qmgr->scan_deferred = true;
    qmgr_spawn(qmgr, "scan", scan_fiber);
}
