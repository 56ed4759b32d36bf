/* SPDX-License-Identifier: MIT */
/*
 * postfix(1): the life cycle of a mail system.  stop, abort and status work
 * whatever state the configuration is in; start and reload look at it first, and a
 * reload never replaces a good configuration by a bad one.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "conf/build_paths.h"
#include "conf/master_cf.h"
#include "master/postfix_command.h"
#include "service/command.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/lock.h"

enum { STOP_PATIENCE_SECONDS = 5, POLL_MICROSECONDS = 20000 };

void script_info(const char *format, ...)
{
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    log_info("%s", str_ptr(&text));
}

void script_warning(const char *format, ...)
{
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    log_warning("%s", str_ptr(&text));
}

void script_fatal(const char *format, ...)
{
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    log_fatal("%s", str_ptr(&text));
}

/* --- configuration, leniently ------------------------------------------------- */

/* queue_directory from a main.cf that may be broken elsewhere. */
static const char *find_queue_directory(const char *config_directory)
{
    STR_AUTO struct str path = {0};
    STR_AUTO struct str text = {0};
    struct err err;
    const char *found = BUILD_QUEUE_DIRECTORY;
    str_printf(&path, "%s/main.cf", config_directory);
    if (file_read(str_ptr(&path), 16 * 1024 * 1024, &text, &err) != OK) {
        return found;
    }
    struct view rest = str_view(&text);
    struct view line;
    while (view_next_word(&rest, "\n", &line)) {
        size_t equal = view_index(line, '=');
        if (equal < line.len &&
            view_equal_cstr(view_trim(view_first(line, equal)), "queue_directory")) {
            struct view value = view_trim(view_from(line, equal + 1));
            if (value.len > 0 && value.ptr[0] == '/') {
                found = xviewdup(value);
            }
        }
    }
    return found;
}

static void open_config(struct control *control)
{
    struct err err;
    control->conf = conf_open(control->config_directory, true, &err);
    if (control->conf == NULL) {
        control->problem = xstrdup(err.text);
        control->queue_directory = find_queue_directory(control->config_directory);
        return;
    }
    control->queue_directory = conf_str(control->conf, P_queue_directory);
    STR_AUTO struct str tag = {0};
    str_printf(&tag, "%s/postfix-script", conf_str(control->conf, P_syslog_name));
    command_log_to_maillog(control->conf);
    log_set_tag(str_ptr(&tag));
    log_set_host(conf_str(control->conf, P_myhostname));
}

/* Collects the first mistakes of main.cf for the user. */
struct mistakes {
    const struct control *control;
    int count;
};

static void report_mistake(void *context, const char *file, int line, const char *text)
{
    struct mistakes *mistakes = context;
    mistakes->count++;
    if (line > 0) {
        log_error("%s, line %d: %s", file, line, text);
    } else {
        log_error("%s: %s", file, text);
    }
}

void control_need_config(struct control *control)
{
    struct master_cf master;
    struct err err;
    struct mistakes mistakes = {.control = control};
    if (control->conf == NULL) {
        script_fatal("%s", control->problem);
    }
    if (!conf_validate(control->conf, report_mistake, &mistakes)) {
        script_fatal("%d mistake%s in %s/main.cf", mistakes.count,
                     mistakes.count == 1 ? "" : "s", control->config_directory);
    }
    if (master_cf_read(control->config_directory, &master, &err) != OK) {
        /* In the words that scripts know: there the postconf command finds it. */
        const char *commands = conf_str(control->conf, P_command_directory);
        (void)fprintf(stderr, "%s/postconf: fatal: %s\n", commands, err.text);
        log_hint(
            "nothing was changed; the system that runs, if any, goes on as it was");
        script_fatal("cannot execute %s/postconf!", commands);
    }
    master_cf_done(&master);
}

pid_t control_master_pid(const struct control *control)
{
    STR_AUTO struct str path = {0};
    str_printf(&path, "%s/pid/master.pid", control->queue_directory);
    pid_t pid = lock_file_holder(str_ptr(&path));
    return pid > 0 ? pid : 0;
}

/* --- sub-commands ----------------------------------------------------------------- */

static int run_program(const char *path, char *const argv[])
{
    static const int standard[] = {0, 1, 2};
    struct child_plan plan = {.path = path,
                              .argv = argv,
                              .descriptors = standard,
                              .descriptor_count = ARRAY_SIZE(standard)};
    pid_t pid = child_start(&plan);
    if (pid < 0) {
        script_fatal("cannot execute %s: %s", path, strerror(errno));
    }
    int status = child_wait(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static char *daemon_path(const struct control *control, const char *name)
{
    return xasprintf("%s/%s", conf_str(control->conf, P_daemon_directory), name);
}

static void prepare(struct control *control)
{
    control_need_config(control);
    if (!check_make_directories(control)) {
        script_fatal("mail system startup failed");
    }
}

static int do_start(struct control *control)
{
    prepare(control);
    if (control_master_pid(control) != 0) {
        script_fatal("the Postfix mail system is already running");
    }
    script_info("starting the Postfix mail system");
    char *path = daemon_path(control, "master");
    char *config = xstrdup(control->config_directory);
    char name[] = "master", wait[] = "-w", option[] = "-c";
    char *argv[] = {name, wait, option, config, NULL};
    int status = run_program(path, argv);
    free(path);
    free(config);
    if (status != 0) {
        script_fatal("mail system startup failed");
    }
    return 0;
}

static int do_start_foreground(struct control *control)
{
    prepare(control);
    if (control_master_pid(control) != 0) {
        script_fatal("the Postfix mail system is already running");
    }
    script_info("starting the Postfix mail system");
    char *path = daemon_path(control, "master");
    char *config = xstrdup(control->config_directory);
    char name[] = "master", option[] = "-c";
    char init[] = "-i", stay[] = "-s";
    char *argv[] = {name, getpid() == 1 ? init : stay, option, config, NULL};
    (void)execv(path, argv);
    script_fatal("cannot execute %s: %s", path, strerror(errno));
}

static pid_t need_running(const struct control *control)
{
    pid_t pid = control_master_pid(control);
    if (pid == 0) {
        script_fatal("the Postfix mail system is not running");
    }
    return pid;
}

static bool wait_for_end(const struct control *control, int seconds)
{
    int64_t deadline = clock_now() + (int64_t)seconds * CLOCK_SECOND;
    while (control_master_pid(control) != 0) {
        if (clock_now() > deadline) {
            return false;
        }
        (void)usleep(POLL_MICROSECONDS);
    }
    return true;
}

static int end_with(const struct control *control, const char *word)
{
    pid_t pid = need_running(control);
    script_info("%s the Postfix mail system", word);
    if (kill(pid, SIGTERM) != 0) {
        script_fatal("cannot signal the master process %ld: %s", (long)pid,
                     strerror(errno));
    }
    if (!wait_for_end(control, STOP_PATIENCE_SECONDS)) {
        script_info("waiting for the Postfix mail system to terminate");
        if (!wait_for_end(control, STOP_PATIENCE_SECONDS)) {
            script_warning("stopping the Postfix mail system with force");
            (void)kill(pid, SIGKILL);
            (void)wait_for_end(control, STOP_PATIENCE_SECONDS);
        }
    }
    return 0;
}

static int do_stop(struct control *control)
{
    return end_with(control, "stopping");
}

static int do_abort(struct control *control)
{
    return end_with(control, "aborting");
}

static int do_reload(struct control *control)
{
    pid_t pid = need_running(control);
    if (control->conf == NULL && isatty(STDERR_FILENO) == 0) {
        (void)fprintf(stderr, "postfix: fatal: %s\n", control->problem);
    }
    control_need_config(control);
    script_info("refreshing the Postfix mail system");
    if (kill(pid, SIGHUP) != 0) {
        script_fatal("cannot signal the master process %ld: %s", (long)pid,
                     strerror(errno));
    }
    return 0;
}

static int do_status(struct control *control)
{
    pid_t pid = control_master_pid(control);
    if (pid == 0) {
        script_info("the Postfix mail system is not running");
        return 1;
    }
    script_info("the Postfix mail system is running: PID: %ld", (long)pid);
    return 0;
}

static int do_check(struct control *control)
{
    control_need_config(control);
    if (!check_make_directories(control)) {
        return 1;
    }
    check_permissions(control);
    return 0;
}

static int do_flush(struct control *control)
{
    control_need_config(control);
    char *path =
        xasprintf("%s/postqueue", conf_str(control->conf, P_command_directory));
    char *config = xstrdup(control->config_directory);
    char name[] = "postqueue", option[] = "-c", flush[] = "-f";
    char *argv[] = {name, option, config, flush, NULL};
    int status = run_program(path, argv);
    free(path);
    free(config);
    return status;
}

static int do_set_permissions(struct control *control)
{
    control_need_config(control);
    return check_make_directories(control) && check_set_permissions(control) ? 0 : 1;
}

static int do_logrotate(struct control *control)
{
    control_need_config(control);
    return rotate_log(control);
}

/* Settings of older versions need no change for this one. */
static int do_upgrade_configuration(struct control *control)
{
    control_need_config(control);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct control *control);
} commands[] = {
    {"start", do_start},
    {"start-fg", do_start_foreground},
    {"stop", do_stop},
    {"drain", do_stop},
    {"quick-stop", do_stop},
    {"abort", do_abort},
    {"reload", do_reload},
    {"flush", do_flush},
    {"check", do_check},
    {"status", do_status},
    {"logrotate", do_logrotate},
    {"set-permissions", do_set_permissions},
    {"upgrade-configuration", do_upgrade_configuration},
};

NORETURN static void unknown_command(const char *name)
{
    script_fatal(
        "unknown command: '%s'. Usage: postfix start (or stop, reload, abort, flush, "
        "check, status, set-permissions, upgrade-configuration, logrotate)",
        name);
}

static void read_options(struct control *control, int argc, char **argv)
{
    int option = 0;
    while ((option = getopt(argc, argv, "+c:Dv")) != -1) {
        switch (option) {
        case 'c':
            control->config_directory = optarg;
            break;
        case 'v':
            control->verbose = true;
            break;
        case 'D':
            log_fatal("option -D (run daemons under a debugger) is not built");
        default:
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    struct control control = {.config_directory = getenv("MAIL_CONFIG"),
                              .program = argv[0]};
    (void)command_init(argc, argv);
    log_init("postfix");
    read_options(&control, argc, argv);
    if (control.config_directory == NULL) {
        control.config_directory = BUILD_CONFIG_DIRECTORY;
    }
    (void)setenv("MAIL_CONFIG", control.config_directory, 1);
    /* Scripts parse what we print only on a terminal; the mail log has it all. */
    log_init("postfix/postfix-script");
    log_set_stderr(isatty(STDERR_FILENO) != 0);
    open_config(&control);
    const char *name = optind < argc ? argv[optind] : "";
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return commands[i].run(&control);
        }
    }
    unknown_command(name);
}
