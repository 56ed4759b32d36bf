/* SPDX-License-Identifier: MIT */
#include "sys/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "sys/file.h"
#include "sys/signal.h"

enum { EXEC_FAILED = 127 };

/* Copy each source above the range of targets first: a target may be another's source.
 */
static bool place_descriptors(const struct child_plan *plan)
{
    int copies[CHILD_DESCRIPTORS_MAX];
    int count = (int)plan->descriptor_count;
    for (int i = 0; i < count; i++) {
        int source = plan->descriptors[i];
        copies[i] =
            source < 0 ? -1 : fcntl(source, F_DUPFD_CLOEXEC, CHILD_DESCRIPTORS_MAX);
        if (source >= 0 && copies[i] < 0) {
            return false;
        }
    }
    for (int i = 0; i < count; i++) {
        if (copies[i] >= 0 && dup2(copies[i], i) < 0) {
            return false;
        }
        if (copies[i] < 0) {
            (void)close(i);
        }
    }
    return true;
}

/* A program without its standard descriptors would take a queue file for standard
 * error. */
static bool fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}

static void close_above(int first)
{
    if (close_range((unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
        return;
    }
    /* An old kernel: ours are opened close-on-exec, so few are left to find. */
    for (int fd = first; fd < CHILD_DESCRIPTORS_MAX * 16; fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

/* Only returns when the program could not be started; errno says why. */
static void prepare_and_exec(const struct child_plan *plan)
{
    signal_reset_all();
    if (plan->new_session) {
        (void)setsid();
    }
    if (!place_descriptors(plan) || !fill_standard_descriptors()) {
        return;
    }
    close_above((int)plan->descriptor_count > STDERR_FILENO
                    ? (int)plan->descriptor_count
                    : STDERR_FILENO + 1);
    if (plan->environment != NULL) {
        (void)execve(plan->path, plan->argv, plan->environment);
    } else {
        (void)execv(plan->path, plan->argv);
    }
}

NORETURN static void run_child(const struct child_plan *plan, int report_fd)
{
    /* Out of the way of the descriptors that are about to be placed; exec closes it. */
    int fd = fcntl(report_fd, F_DUPFD_CLOEXEC, CHILD_DESCRIPTORS_MAX);
    if (fd >= 0) {
        prepare_and_exec(plan);
    }
    int error = errno;
    (void)file_write_all(fd, &error, sizeof(error));
    _exit(EXEC_FAILED);
}

static pid_t fork_quietly(void)
{
    sigset_t all;
    sigset_t old;
    CHECK(sigfillset(&all) == 0);
    /* A handler of the parent must not run in the child before they are reset. */
    CHECK(sigprocmask(SIG_SETMASK, &all, &old) == 0);
    pid_t pid = fork();
    if (pid != 0) {
        int saved_errno = errno;
        CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
        errno = saved_errno;
    }
    return pid;
}

/* End of file means that exec has closed the other end: the program runs. */
static int read_report(int fd)
{
    int error = 0;
    ssize_t len;
    do {
        len = read(fd, &error, sizeof(error));
    } while (len < 0 && errno == EINTR);
    return len == (ssize_t)sizeof(error) ? error : 0;
}

pid_t child_start(const struct child_plan *plan)
{
    CHECK(plan->descriptor_count <= CHILD_DESCRIPTORS_MAX);
    CHECK(plan->argv[0] != NULL);
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        return -1;
    }
    pid_t pid = fork_quietly();
    if (pid == 0) {
        run_child(plan, report[1]);
    }
    fd_close(&report[1]);
    int error = pid > 0 ? read_report(report[0]) : errno;
    fd_close(&report[0]);
    if (pid > 0 && error != 0) {
        (void)child_wait(pid);
        pid = -1;
    }
    if (pid < 0) {
        errno = error;
    }
    return pid;
}

int child_wait(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) != pid) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

void child_describe(int wait_status, struct str *out)
{
    if (WIFSIGNALED(wait_status)) {
        str_printf(out, "killed by signal %d", WTERMSIG(wait_status));
    } else {
        str_printf(out, "exit status %d", WEXITSTATUS(wait_status));
    }
}
