/* SPDX-License-Identifier: MIT */
/*
 * The life cycle.  Whether a master runs is asked of the lock on its pid file, so
 * that a file left behind by a crash means nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/postfix_command.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/lock.h"

enum {
    POLL_TIME = 20 * CLOCK_MILLISECOND,
    /* master itself gives its workers five seconds. */
    STOP_PATIENCE = 10 * CLOCK_SECOND,
    DRAIN_PATIENCE = 5 * CLOCK_SECOND,
    ARGUMENTS_MAX = 8
};

pid_t control_master_pid(const struct control *control)
{
    pid_t pid = lock_file_holder(control->pid_file);
    if (pid < 0) {
        log_fatal("open %s: %m", control->pid_file);
    }
    return pid;
}

int control_run(const char *path, char *const argv[], bool quiet)
{
    FD_AUTO int nowhere = quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    int descriptors[] = {STDIN_FILENO, quiet ? nowhere : STDOUT_FILENO, STDERR_FILENO};
    struct child_plan plan = {.path = path,
                              .argv = argv,
                              .descriptors = descriptors,
                              .descriptor_count = ARRAY_SIZE(descriptors)};
    pid_t pid = child_start(&plan);
    if (pid < 0) {
        return -1;
    }
    int status = child_wait(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static pid_t need_running(const struct control *control)
{
    pid_t pid = control_master_pid(control);
    if (pid == 0) {
        log_fatal("the Postfix mail system is not running");
    }
    return pid;
}

/* --- start --------------------------------------------------------------- */

struct command_line {
    char *path;
    char *argv[ARGUMENTS_MAX];
};

static void make_master_line(const struct control *control, const char *mode,
                             struct command_line *out)
{
    int count = 0;
    out->path = xasprintf("%s/master", conf_str(control->conf, P_daemon_directory));
    out->argv[count++] = xstrdup(out->path);
    out->argv[count++] = xstrdup(mode);
    out->argv[count++] = xstrdup("-c");
    out->argv[count++] = xstrdup(control->config_directory);
    if (control->verbose > 0) {
        out->argv[count++] = xstrdup("-v");
    }
    out->argv[count] = NULL;
    CHECK(count < ARGUMENTS_MAX);
}

static void free_line(struct command_line *line)
{
    for (int i = 0; line->argv[i] != NULL; i++) {
        free(line->argv[i]);
    }
    free(line->path);
}

/* While nobody is at the queue: a spool that was copied has names that do not match the
 * inodes, and would give a queue ID twice. */
static void repair_queue(const struct control *control)
{
    char *path =
        xasprintf("%s/postsuper", conf_str(control->conf, P_command_directory));
    char *directory = xstrdup(control->config_directory);
    char option[] = "-c";
    char *argv[] = {path, option, directory, NULL};
    int status = control_run(path, argv, false);
    if (status < 0) {
        log_fatal("cannot execute %s: %m", path);
    }
    if (status != 0) {
        log_fatal("Postfix integrity check failed!");
    }
    free(path);
    free(directory);
}

static void prepare_start(struct control *control)
{
    if (control_master_pid(control) != 0) {
        log_fatal("the Postfix mail system is already running");
    }
    control_examine_config(control, false);
    (void)check_tls(control); /* mail without encryption is better than none */
    if (!directories_make(control)) {
        log_fatal("Postfix integrity check failed!");
    }
    check_permissions(control);
    repair_queue(control);
    log_info("starting the Postfix mail system");
}

int control_start(struct control *control)
{
    struct command_line line;
    prepare_start(control);
    make_master_line(control, "-w", &line);
    int status = control_run(line.path, line.argv, false);
    if (status < 0) {
        log_error("cannot execute %s: %m", line.path);
    }
    free_line(&line);
    if (status != 0) {
        log_fatal("mail system startup failed");
    }
    return EXIT_SUCCESS;
}

int control_start_foreground(struct control *control)
{
    struct command_line line;
    prepare_start(control);
    make_master_line(control, getpid() == 1 ? "-i" : "-d", &line);
    (void)execv(line.path, line.argv);
    log_error("cannot execute %s: %m", line.path);
    log_fatal("mail system startup failed");
}

/* --- stop ---------------------------------------------------------------- */

static bool wait_for_end(const struct control *control, int64_t patience)
{
    int64_t deadline = clock_now() + patience;
    while (control_master_pid(control) != 0) {
        if (clock_now() > deadline) {
            return false;
        }
        (void)usleep(POLL_TIME);
    }
    return true;
}

static pid_t signal_master(const struct control *control, int number, const char *word)
{
    pid_t pid = need_running(control);
    log_info("%s the Postfix mail system", word);
    if (kill(pid, number) != 0) {
        log_fatal("signal the master process %ld: %m", (long)pid);
    }
    return pid;
}

static int stop_with(struct control *control, int number, const char *word)
{
    pid_t pid = signal_master(control, number, word);
    if (!wait_for_end(control, STOP_PATIENCE)) {
        log_warning("master process %ld does not end: killing it", (long)pid);
        (void)kill(pid, SIGKILL);
        if (!wait_for_end(control, STOP_PATIENCE)) {
            log_fatal("cannot stop the Postfix mail system");
        }
    }
    return EXIT_SUCCESS;
}

int control_stop(struct control *control)
{
    return stop_with(control, SIGTERM, "stopping");
}

int control_abort(struct control *control)
{
    return stop_with(control, SIGABRT, "aborting");
}

/* Present clients are served to the end, however long that takes. */
int control_drain(struct control *control)
{
    (void)signal_master(control, SIGQUIT, "stopping");
    (void)wait_for_end(control, DRAIN_PATIENCE);
    return EXIT_SUCCESS;
}

/* --- the rest -------------------------------------------------------------- */

/* A configuration that does not parse never replaces the one that runs. */
int control_reload(struct control *control)
{
    (void)need_running(control);
    control_examine_config(control, true);
    log_set_stderr(true); /* whoever has made a mistake should see it */
    if (!check_tls(control)) {
        log_fatal("the configuration has mistakes: the running one stays in force");
    }
    log_set_stderr(isatty(STDERR_FILENO) != 0);
    (void)signal_master(control, SIGHUP, "refreshing");
    return EXIT_SUCCESS;
}

int control_status(struct control *control)
{
    pid_t pid = control_master_pid(control);
    if (pid == 0) {
        log_info("the Postfix mail system is not running");
        return EXIT_FAILURE;
    }
    log_info("the Postfix mail system is running: PID: %ld", (long)pid);
    return EXIT_SUCCESS;
}

int control_flush(struct control *control)
{
    control_need_config(control, true);
    char *path =
        xasprintf("%s/postqueue", conf_str(control->conf, P_command_directory));
    char name[] = "postqueue";
    char flush[] = "-f";
    char *argv[] = {name, flush, NULL};
    int status = control_run(path, argv, false);
    if (status < 0) {
        log_fatal("cannot execute %s: %m", path);
    }
    free(path);
    return status;
}

int control_check(struct control *control)
{
    control_examine_config(control, false);
    if (!directories_make(control)) {
        log_fatal("Postfix integrity check failed!");
    }
    check_permissions(control);
    check_tables(control);
    return check_tls(control) ? EXIT_SUCCESS : EXIT_FAILURE;
}
