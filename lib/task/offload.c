/* SPDX-License-Identifier: MIT */
/*
 * System calls that block, on a few threads.  A thread takes a job, runs its function
 * and hands it back; it touches nothing else of the process, and no signal.  The
 * loop hears of finished jobs by an eventfd and wakes their fibers.  Threads are
 * started when a job finds all of them busy, up to THREADS_MOST.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "task/fiber.h"

enum { THREADS_MOST = 8, THREAD_STACK_BYTES = 256 * 1024 };

/* Lives on the stack of the fiber that waits for it. */
struct job {
    struct list node;
    void (*function)(void *);
    void *context;
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
    unsigned idle;    /* threads that run no job */
    bool quit;
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

/* The next job, with the lock held; NULL: the pool ends. */
static struct job *take_job(void)
{
    while (list_empty(&pool.queued) && !pool.quit) {
        CHECK(pthread_cond_wait(&pool.work, &pool.lock) == 0);
    }
    struct list *node = list_first(&pool.queued);
    if (node == NULL) {
        return NULL;
    }
    list_remove(node);
    CHECK(pool.idle > 0 && pool.waiting > 0);
    pool.idle--;
    pool.waiting--;
    return LIST_ITEM(node, struct job, node);
}

static void *run_jobs(void *unused)
{
    (void)unused;
    struct job *job;
    lock_pool();
    while ((job = take_job()) != NULL) {
        unlock_pool();
        job->function(job->context);
        lock_pool();
        pool.idle++;
        bool first = list_empty(&pool.finished);
        list_add_tail(&pool.finished, &job->node);
        if (first) {
            unlock_pool(); /* the loop will want it at once */
            ring_loop();
            lock_pool();
        }
    }
    unlock_pool();
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
    lock_pool();
    int error = pthread_create(&pool.threads[pool.count], &attributes, run_jobs, NULL);
    if (error == 0) {
        pool.count++;
        pool.idle++;
    }
    unlock_pool();
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
    pool.count = 0;
    pool.idle = 0;
    pool.quit = false;
    pool.started = false;
}

/* Start what is missing; false: there is no thread at all. */
static bool pool_ready(void)
{
    if (!pool.started) {
        start_pool();
    }
    lock_pool();
    bool busy = pool.idle <= pool.waiting;
    unlock_pool();
    if (busy && pool.count < THREADS_MOST) {
        (void)start_thread();
    }
    return pool.count > 0;
}

static void run_on_thread(struct fiber *fiber, void (*function)(void *), void *context)
{
    struct job job = {.function = function, .context = context, .fiber = fiber};
    lock_pool();
    list_add_tail(&pool.queued, &job.node);
    pool.waiting++;
    CHECK(pthread_cond_signal(&pool.work) == 0);
    unlock_pool();
    (void)fiber_park(CLOCK_NEVER, false);
}

void task_offload(void (*function)(void *), void *context)
{
    CHECK(function != NULL);
    int saved_errno = errno;
    struct fiber *fiber = task_current();
    if (fiber != NULL && pool_ready()) {
        run_on_thread(fiber, function, context);
    } else {
        function(context); /* better slow than not at all */
    }
    errno = saved_errno; /* FUNCTION's own would come from there or not: never */
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
    task_offload(call_fsync, &call);
    if (call.error != 0) {
        errno = call.error;
        return false;
    }
    return true;
}
