/* SPDX-License-Identifier: MIT */
/*
 * System calls that block, on a few threads, which touch nothing of the process but the
 * jobs, and no signal.
 *
 * The calls are syncs, and a file system with a journal makes one commit for all that
 * wait for one.  So a thread takes all jobs there are, and hands them back together:
 * the first waits for the commit, the others find their files in it.  What comes
 * meanwhile is taken by another thread, so that the next commit can follow at once.
 * Threads are woken once in a round of the loop, and wake the loop once a batch: a
 * wake-up costs more than the rest of a sync that others have paid for.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "task/fiber.h"

enum {
    THREADS_MOST = 3,
    THREAD_STACK_BYTES = 256 * 1024,
    BATCH_MOST = 64,
    /* Finished jobs do not wait longer than this for slow ones of their batch. */
    HOLD_BACK = 2 * CLOCK_MILLISECOND
};

/* Lives on the stack of the fiber that waits for it. */
struct job {
    struct list node;
    void (*function)(void *);
    void *context;
    int sync_fd; /* what will be synced; -1: something else is done */
    struct fiber *fiber;
};

/* The process's pool.  LOCK guards the lists with their numbers, and QUIT; the rest
 * belongs to the loop's thread. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list queued;
    struct list finished;
    unsigned waiting; /* jobs queued */
    unsigned idle;    /* threads that wait for jobs */
    bool quit;
    bool unannounced; /* jobs were queued and no thread has been told */
    bool started;
    unsigned count;
    pthread_t threads[THREADS_MOST];
    int eventfd;
    struct task_watch *watch;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static void lock_pool(void)
{
    CHECK(pthread_mutex_lock(&pool.lock) == 0);
}

static void unlock_pool(void)
{
    CHECK(pthread_mutex_unlock(&pool.lock) == 0);
}

static void ring_loop(void)
{
    uint64_t one = 1;
    ssize_t done;
    do {
        done = write(pool.eventfd, &one, sizeof(one));
    } while (done < 0 && errno == EINTR);
    CHECK(done == sizeof(one));
}

/* Move jobs, at most MOST, from one list to the end of another. */
static unsigned move_jobs(struct list *from, struct list *to, unsigned most)
{
    unsigned moved = 0;
    for (struct list *node; moved < most && (node = list_first(from)) != NULL;
         moved++) {
        list_remove(node);
        list_add_tail(to, node);
    }
    return moved;
}

/* Wait for jobs and take them.  False: the pool ends. */
static bool take_batch(struct list *batch)
{
    lock_pool();
    while (pool.waiting == 0 && !pool.quit) {
        pool.idle++;
        CHECK(pthread_cond_wait(&pool.work, &pool.lock) == 0);
        pool.idle--;
    }
    pool.waiting -= move_jobs(&pool.queued, batch, BATCH_MOST);
    unlock_pool();
    return !list_empty(batch);
}

static void hand_back(struct list *done)
{
    lock_pool();
    bool first = list_empty(&pool.finished);
    (void)move_jobs(done, &pool.finished, BATCH_MOST);
    unlock_pool();
    if (first) {
        ring_loop();
    }
}

/* The data of all is on its way before the first sync waits for its commit: otherwise
 * each of them would need a commit of its own. */
static void start_writing(const struct list *batch)
{
    LIST_EACH(batch, node)
    {
        const struct job *job = LIST_ITEM(node, struct job, node);
        if (job->sync_fd >= 0) {
            (void)sync_file_range(job->sync_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        }
    }
}

static void run_batch(struct list *batch)
{
    struct list done;
    int64_t since = 0; /* when the first of DONE was */
    list_init(&done);
    if (batch->next != batch->prev) { /* more than one */
        start_writing(batch);
    }
    for (struct list *node; (node = list_first(batch)) != NULL;) {
        struct job *job = LIST_ITEM(node, struct job, node);
        list_remove(node);
        job->function(job->context);
        int64_t now = clock_now();
        since = list_empty(&done) ? now : since;
        list_add_tail(&done, node);
        if (list_empty(batch) || now - since > HOLD_BACK) {
            hand_back(&done);
        }
    }
}

static void *run_jobs(void *unused)
{
    (void)unused;
    struct list batch;
    list_init(&batch);
    while (take_batch(&batch)) {
        run_batch(&batch);
    }
    return NULL;
}

static void wake_finished(void *unused)
{
    (void)unused;
    uint64_t count;
    if (read(pool.eventfd, &count, sizeof(count)) < 0) {
        CHECK(errno == EAGAIN || errno == EINTR);
        return;
    }
    lock_pool();
    LIST_EACH(&pool.finished, node)
    {
        list_remove(node);
        fiber_wake(LIST_ITEM(node, struct job, node)->fiber, TASK_READY);
    }
    unlock_pool();
}

static void start_pool(void)
{
    pool.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool.eventfd < 0) {
        log_fatal("cannot create an eventfd: %s", strerror(errno));
    }
    list_init(&pool.queued);
    list_init(&pool.finished);
    pool.watch = task_watch_fd(pool.eventfd, TASK_READ, wake_finished, NULL);
    pool.started = true;
}

/* One more thread, with every signal blocked.  False: the system gives us none. */
static bool start_thread(void)
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    CHECK(sigfillset(&all) == 0 && pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int error = pthread_create(&pool.threads[pool.count], &attributes, run_jobs, NULL);
    pool.count += error == 0 ? 1 : 0;
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
    return error == 0;
}

void offload_stop(void)
{
    if (!pool.started) {
        return;
    }
    lock_pool();
    CHECK(list_empty(&pool.queued) && list_empty(&pool.finished));
    pool.quit = true;
    CHECK(pthread_cond_broadcast(&pool.work) == 0);
    unlock_pool();
    for (unsigned i = 0; i < pool.count; i++) {
        CHECK(pthread_join(pool.threads[i], NULL) == 0);
    }
    task_watch_free(&pool.watch);
    CHECK(close(pool.eventfd) == 0);
    CHECK(pool.idle == 0);
    pool.count = 0;
    pool.unannounced = false;
    pool.quit = false;
    pool.started = false;
}

/* False: there is no thread at all. */
static bool pool_ready(void)
{
    if (!pool.started) {
        start_pool();
    }
    return pool.count > 0 || start_thread();
}

void offload_announce(void)
{
    if (!pool.unannounced) {
        return;
    }
    pool.unannounced = false;
    lock_pool();
    bool wake = pool.waiting > 0 && pool.idle > 0;
    bool start = pool.waiting > 0 && pool.idle == 0 && pool.count < THREADS_MOST;
    unlock_pool();
    if (wake) {
        CHECK(pthread_cond_signal(&pool.work) == 0);
    } else if (start) {
        (void)start_thread(); /* else a busy one takes it next */
    }
}

static void run_on_thread(struct job *job)
{
    lock_pool();
    list_add_tail(&pool.queued, &job->node);
    pool.waiting++;
    unlock_pool();
    pool.unannounced = true;
    (void)fiber_park(CLOCK_NEVER, false);
}

static void offload(void (*function)(void *), void *context, int sync_fd)
{
    CHECK(function != NULL);
    int saved_errno = errno;
    struct job job = {.function = function,
                      .context = context,
                      .sync_fd = sync_fd,
                      .fiber = task_current()};
    if (job.fiber != NULL && pool_ready()) {
        run_on_thread(&job);
    } else {
        function(context); /* better slow than not at all */
    }
    errno = saved_errno; /* FUNCTION's own would come from there or not: never */
}

void task_offload(void (*function)(void *), void *context)
{
    offload(function, context, -1);
}

struct fsync_call {
    int fd;
    int error; /* 0, or errno */
};

static void call_fsync(void *context)
{
    struct fsync_call *call = context;
    int status;
    do {
        status = fsync(call->fd);
    } while (status != 0 && errno == EINTR);
    call->error = status == 0 ? 0 : errno;
}

bool task_fsync(int fd)
{
    struct fsync_call call = {.fd = fd};
    offload(call_fsync, &call, fd);
    if (call.error != 0) {
        errno = call.error;
        return false;
    }
    return true;
}
