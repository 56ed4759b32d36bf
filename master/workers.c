/* SPDX-License-Identifier: MIT */
/* Workers that run: what they report, what they are told, and how they die. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"
#include "master/master.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/file.h"

/* A report comes from a process that clients can attack: nothing in it is trusted. */
static void take_report(struct worker_process *worker,
                        const struct master_report *report)
{
    bool sane = report->state >= WORKER_AVAILABLE && report->state <= WORKER_RETIRING &&
                report->pid == (uint32_t)worker->pid && report->clients <= 1000000;
    if (!sane) {
        log_warning("service %s pid %ld: bad status message", worker->service->name,
                    (long)worker->pid);
        return;
    }
    /* Who was told to leave takes no clients any more, whatever it said meanwhile. */
    if (worker->state != WORKER_RETIRING) {
        worker->state = (enum worker_state)report->state;
        worker->clients = report->clients;
    } else if (report->state == WORKER_RETIRING) {
        worker->clients = report->clients;
    }
    worker->served |= report->served != 0;
}

void worker_receive(struct worker_process *worker)
{
    for (;;) {
        struct master_report report;
        ssize_t len = recv(worker->channel, &report, sizeof(report), MSG_DONTWAIT);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len == 0 || (len < 0 && errno != EAGAIN)) {
            /* It is gone or wants no contact; SIGCHLD will tell. */
            fd_close(&worker->channel);
            return;
        }
        if (len < 0) {
            return;
        }
        if (len == (ssize_t)sizeof(report)) {
            take_report(worker, &report);
        }
    }
}

static bool send_order(int channel, char order, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {.iov_base = &order, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(part), &fd, sizeof(fd));
    }
    return sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

void worker_order(struct worker_process *worker, enum master_order order, int log_fd)
{
    if (worker->channel < 0 || (order == MASTER_LOG && log_fd < 0)) {
        return;
    }
    if (order == MASTER_RETIRE) {
        worker->state = WORKER_RETIRING;
        /* It will say how many clients it still has; the new ones need not wait for
         * that. */
        worker->clients = 0;
    }
    if (!send_order(worker->channel, (char)order, order == MASTER_LOG ? log_fd : -1)) {
        log_debug("service %s pid %ld: send order: %m", worker->service->name,
                  (long)worker->pid);
    }
}

void worker_free(struct worker_process *worker)
{
    list_remove(&worker->node);
    fd_close(&worker->channel);
    free(worker);
}

/* Died before it did anything useful, by its own fault: starting it again at once would
 * only make it die again.  Who is killed (by an administrator, for lack of memory) is
 * not at fault. */
static bool is_bad_start(const struct worker_process *worker, int status)
{
    bool killed = WIFSIGNALED(status) &&
                  (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
    return !worker->served && !killed;
}

/* Say it with the words that log readers look for. */
static void report_death(const struct worker_process *worker, int status)
{
    const struct service *service = worker->service;
    const struct conf *conf = service->master->settings->conf;
    const char *directory = conf_str(conf, P_daemon_directory);
    STR_AUTO struct str how = {0};
    child_describe(status, &how);
    const char *program =
        service->entry != NULL ? service->entry->program : service->name;
    log_warning("process %s/%s pid %ld %s", directory, program, (long)worker->pid,
                str_ptr(&how));
    if (is_bad_start(worker, status) && service->entry != NULL) {
        log_warning("%s/%s: bad command startup -- throttling", directory, program);
    }
}

static void bury(struct worker_process *worker, int status)
{
    struct service *service = worker->service;
    /* The last words may still be in the channel. */
    if (worker->channel >= 0) {
        worker_receive(worker);
    }
    bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (failed && !service->master->stopping) {
        report_death(worker, status);
        if (is_bad_start(worker, status)) {
            service_throttle(service);
        }
        /* What it was doing is not waited for until the next regular wake-up. */
        if (service->next_wakeup != CLOCK_NEVER) {
            service->next_wakeup = clock_now();
        }
    }
    worker_free(worker);
}

static struct worker_process *find_worker(const struct master *master, pid_t pid)
{
    LIST_EACH(&master->services, node)
    {
        struct service *service = LIST_ITEM(node, struct service, node);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed is unlinked */
        LIST_EACH(&service->workers, child)
        {
            struct worker_process *worker =
                LIST_ITEM(child, struct worker_process, node);
            if (worker->pid == pid) {
                return worker;
            }
        }
    }
    return NULL;
}

void workers_reap(struct master *master)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR) {
            continue;
        }
        if (pid <= 0) {
            return;
        }
        /* As process 1 master also inherits the children of others. */
        struct worker_process *worker = find_worker(master, pid);
        if (worker != NULL) {
            bury(worker, status);
        }
    }
}
