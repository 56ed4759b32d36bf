/* SPDX-License-Identifier: MIT */
/*
 * Looking into the queue directories: incoming/ for mail whose announcement was
 * lost, deferred/ for mail whose time has come (the file's modification time is
 * the time of the next attempt), active/ for what an earlier process left there.
 *
 * Nothing is remembered of a message whose time has not come; asking the file system
 * again is cheap, and always right.  New mail never waits for a scan: the times are
 * asked for by a pool thread, a few hundred files at once, what is found is announced
 * only as fast as it is taken up, and deferred mail never takes all the room there is.
 * When there is no room a pass through a queue stops where it is, and goes on there.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "qmgr/qmgr.h"
#include "service/service.h"

enum {
    BATCH_FILES = 256,
    PATH_BYTES = 128,
    ROOM_FOR_NEW = 4 /* one in so many places in memory is not for deferred mail */
};

/* From the beginning of one pass through incoming/ or active/ to that of the next:
 * files that somebody is at work on would otherwise be looked at all the time. */
static const int64_t PASS_INTERVAL = CLOCK_SECOND;

struct batch {
    int64_t now; /* seconds */
    size_t count, at;
    struct {
        char id[QUEUE_ID_MAX];
        char path[PATH_BYTES];
        bool due;
    } files[BATCH_FILES];
};

struct pass {
    const char *queue;       /* one of the literals */
    bool *wanted;            /* in struct qmgr: begin one, or go on with it */
    struct queue_scan *walk; /* NULL: none has begun */
    struct batch *batch;
    int64_t begun;
    bool timed;       /* take only what is due */
    bool interrupted; /* there was no room: WANTED may mean a later request */
};

struct scanner {
    struct qmgr *qmgr;
    struct pass active, incoming, deferred;
};

enum progress { PASS_MORE, PASS_ENDED, PASS_BLOCKED };

/* --- a batch of files ---------------------------------------------------------------
 */

/* On a pool thread. */
static void ask_times(void *context)
{
    struct batch *batch = context;
    for (size_t i = 0; i < batch->count; i++) {
        struct stat st;
        batch->files[i].due =
            lstat(batch->files[i].path, &st) == 0 && st.st_mtime <= batch->now;
    }
}

/* Take the next names of the walk.  False: there are none. */
static bool fill(struct pass *pass)
{
    struct batch *batch = pass->batch;
    struct queue_entry entry;
    batch->count = batch->at = 0;
    while (batch->count < BATCH_FILES && queue_scan_next_entry(pass->walk, &entry)) {
        struct view name = view_cstr(entry.name);
        struct view directory = view_cstr(entry.directory);
        if (!queue_id_valid(name) || directory.len + 1 + name.len >= PATH_BYTES) {
            continue;
        }
        char *path = batch->files[batch->count].path;
        memcpy(path, directory.ptr, directory.len);
        path[directory.len] = '/';
        memcpy(path + directory.len + 1, name.ptr, name.len + 1);
        memcpy(batch->files[batch->count].id, name.ptr, name.len + 1);
        batch->files[batch->count++].due = true;
    }
    return batch->count > 0;
}

/* --- a pass -------------------------------------------------------------------------
 */

static void begin(const struct scanner *scanner, struct pass *pass, bool timed)
{
    CHECK(pass->walk == NULL);
    pass->walk = queue_scan_open(scanner->qmgr->dirs, pass->queue);
    pass->batch = xcalloc(1, sizeof(*pass->batch));
    pass->batch->now = clock_wall() / CLOCK_SECOND;
    pass->begun = clock_now();
    pass->timed = timed;
    pass->interrupted = false;
}

static void end(struct pass *pass)
{
    queue_scan_close(&pass->walk);
    free(pass->batch);
    pass->batch = NULL;
}

static bool has_room(const struct scanner *scanner, const struct pass *pass)
{
    const struct qmgr *qmgr = scanner->qmgr;
    size_t limit = (size_t)conf_int(qmgr->conf, P_qmgr_message_active_limit);
    return pass == &scanner->deferred
               ? htab_count(qmgr->by_id) + htab_count(qmgr->arrival_ids) <
                     limit - limit / ROOM_FOR_NEW
               : intake_has_room(qmgr);
}

/* Wait until what was announced is nearly all taken up.  False: we are to stop. */
static bool await_intake(struct qmgr *qmgr)
{
    while (!qmgr->service->stopping && !task_cancelled()) {
        if (htab_count(qmgr->arrival_ids) <= INTAKE_AHEAD) {
            return true;
        }
        (void)task_cond_wait(&qmgr->intake_caught_up, CLOCK_NEVER);
    }
    return false;
}

/* Announce what the batch holds. */
static enum progress announce(struct scanner *scanner, struct pass *pass)
{
    struct batch *batch = pass->batch;
    while (batch->at < batch->count) {
        if (batch->files[batch->at].due) {
            if (!await_intake(scanner->qmgr) || !has_room(scanner, pass)) {
                return PASS_BLOCKED;
            }
            intake_announce(scanner->qmgr, pass->queue,
                            view_cstr(batch->files[batch->at].id));
        }
        batch->at++;
    }
    return PASS_MORE;
}

/* One batch of files. */
static enum progress step(struct scanner *scanner, struct pass *pass)
{
    CHECK(pass->batch != NULL);
    if (pass->batch->at == pass->batch->count) {
        if (!fill(pass)) {
            return PASS_ENDED;
        }
        if (pass->timed) {
            task_offload(ask_times, pass->batch);
        } else {
            task_yield();
        }
    }
    return announce(scanner, pass);
}

/* Begin a pass, or go on with it, as far as ONE_STEP or room allows.  The request is
 * taken back before, because whoever finds a file locked meanwhile asks again. */
static enum progress run(struct scanner *scanner, struct pass *pass, bool one_step)
{
    enum progress progress;
    *pass->wanted = false;
    do {
        progress = step(scanner, pass);
    } while (progress == PASS_MORE && !one_step);
    if (progress == PASS_BLOCKED) {
        pass->interrupted = true;
        *pass->wanted = true;
    } else if (progress == PASS_ENDED) {
        *pass->wanted = *pass->wanted || pass->interrupted;
        end(pass);
    }
    return progress;
}

/* --- all of them --------------------------------------------------------------------
 */

static void scan_whole(struct scanner *scanner, struct pass *pass)
{
    if (!*pass->wanted) {
        return;
    }
    if (pass->walk == NULL) {
        if (pass->begun != 0 && clock_now() - pass->begun < PASS_INTERVAL) {
            return; /* scan_remind() will tell */
        }
        begin(scanner, pass, false);
    }
    (void)run(scanner, pass, false);
}

/* True: there is more to do now. */
static bool scan_some_deferred(struct scanner *scanner)
{
    struct qmgr *qmgr = scanner->qmgr;
    struct pass *pass = &scanner->deferred;
    if (pass->walk != NULL && qmgr->flush_all && pass->timed) {
        end(pass); /* everything is wanted now */
    }
    if (pass->walk == NULL) {
        if (!qmgr->scan_deferred) {
            return false;
        }
        begin(scanner, pass, !qmgr->flush_all);
        qmgr->flush_all = false;
    }
    bool more = run(scanner, pass, true) == PASS_MORE;
    qmgr->scan_deferred = qmgr->scan_deferred || qmgr->flush_all;
    return more;
}

static void scan_all(struct scanner *scanner)
{
    scanner->qmgr->scanning = true;
    do {
        scan_whole(scanner, &scanner->active);
        scan_whole(scanner, &scanner->incoming);
    } while (!task_cancelled() && !scanner->qmgr->service->stopping &&
             scan_some_deferred(scanner));
    scanner->qmgr->scanning = false;
}

static void scan_fiber(void *context)
{
    struct qmgr *qmgr = context;
    struct scanner scanner = {
        .qmgr = qmgr,
        .active = {.queue = QUEUE_ACTIVE, .wanted = &qmgr->scan_active},
        .incoming = {.queue = QUEUE_INCOMING, .wanted = &qmgr->scan_incoming},
        .deferred = {.queue = QUEUE_DEFERRED, .wanted = &qmgr->scan_deferred},
    };
    const int64_t interval = conf_time(qmgr->conf, P_queue_run_delay);
    int64_t next_run = clock_now() + interval;
    do {
        if (clock_now() >= next_run) {
            /* active/ too: what could not be moved out of it lies there. */
            qmgr->scan_active = qmgr->scan_incoming = qmgr->scan_deferred = true;
            next_run = clock_now() + interval;
        }
        scan_all(&scanner);
    } while (task_cond_wait(&qmgr->scan_wanted, next_run) != TASK_CANCELLED);
    end(&scanner.active);
    end(&scanner.incoming);
    end(&scanner.deferred);
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
