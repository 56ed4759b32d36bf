/* SPDX-License-Identifier: MIT */
/* master(8): the command line, and the way into the background. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/number.h"
#include "master/master.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/lock.h"

struct options {
    const char *directory; /* -c */
    int64_t end;           /* -e */
    bool keep_output;      /* -d: leave standard descriptors and terminal alone */
    bool init;             /* -i: process 1, or as good as */
    bool stdout_log;       /* -s: standard output is the log */
    bool test;             /* -t */
    bool wait;             /* -w */
    int verbose;           /* -v */
};

static int64_t parse_seconds(const char *text)
{
    uint64_t seconds = 0;
    if (!number_parse_u64(view_cstr(text), INT32_MAX, &seconds)) {
        log_fatal("bad time in seconds: -e %s", text);
    }
    return clock_now() + (int64_t)seconds * CLOCK_SECOND;
}

static void parse_option(struct options *options, int option)
{
    switch (option) {
    case 'c':
        options->directory = optarg;
        break;
    case 'd':
        options->keep_output = true;
        break;
    case 'e':
        options->end = parse_seconds(optarg);
        break;
    case 'i':
        options->init = true;
        break;
    case 's':
        options->stdout_log = true;
        break;
    case 't':
        options->test = true;
        break;
    case 'v':
        options->verbose++;
        break;
    case 'w':
        options->wait = true;
        break;
    default:
        log_fatal("usage: master [-c config_dir] [-e exit_time] [-distvw]");
    }
}

static struct options parse_options(int argc, char **argv)
{
    int option;
    struct options options = {.end = CLOCK_NEVER};
    while ((option = getopt(argc, argv, "c:de:istvw")) != -1) {
        parse_option(&options, option);
    }
    if (optind < argc) {
        log_fatal("usage: master [-c config_dir] [-e exit_time] [-distvw]");
    }
    if (options.wait && (options.init || options.keep_output || options.stdout_log)) {
        log_fatal("-w puts master into the background and excludes -d, -i and -s");
    }
    return options;
}

/* -t: status 0 when no master runs. */
NORETURN static void test_and_exit(const struct conf *conf)
{
    char *path = xasprintf("%s/%s/master.pid", conf_str(conf, P_queue_directory),
                           conf_str(conf, P_process_id_directory));
    pid_t holder = lock_file_holder(path);
    if (holder < 0) {
        log_fatal("open %s: %m", path);
    }
    exit(holder == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Fork; the parent waits for a byte that says "ready".  Returns, in the child, where to
 * write it. */
static int go_to_background(void)
{
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC) != 0) {
        log_fatal("pipe: %m");
    }
    pid_t pid = fork();
    if (pid < 0) {
        log_fatal("fork: %m");
    }
    if (pid == 0) {
        fd_close(&ready[0]);
        return ready[1];
    }
    fd_close(&ready[1]);
    ssize_t len;
    do {
        len = read(ready[0], &byte, 1);
    } while (len < 0 && errno == EINTR);
    /* _exit: what the child shares with us is the child's to finish. */
    _exit(len == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void leave_terminal(void)
{
    (void)setsid();
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        log_fatal("open /dev/null: %m");
    }
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
        CHECK(dup2(fd, i) == i);
    }
    fd_close(&fd);
}

/* -i: children whose parents have died come to us, as they come to process 1. */
static void adopt_orphans(void)
{
    if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        log_warning("become the parent of orphans: %m");
    }
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void find_owner(struct master *master)
{
    struct err err;
    const char *name = conf_str(master->settings->conf, P_mail_owner);
    master->unprivileged = geteuid() != 0;
    if (master->unprivileged) {
        return;
    }
    if (privilege_find_user(name, &master->owner, &err) != OK) {
        log_fatal("file %s/main.cf: parameter mail_owner: %s", master->config_directory,
                  err.text);
    }
    if (master->owner.uid == 0) {
        log_fatal(
            "file %s/main.cf: parameter mail_owner: user %s has privileged user ID",
            master->config_directory, name);
    }
}

static void log_mode(const struct master *master)
{
    if (master->unprivileged) {
        const struct passwd *user = getpwuid(geteuid());
        log_info(
            "running without root's rights, as %s: no chroot, no switching of users",
            user != NULL ? user->pw_name : "an unnamed user");
    }
}

static void open_everything(struct master *master)
{
    struct err err;
    const struct conf *conf = master->settings->conf;
    struct settings *settings = master->settings;
    if (chdir(conf_str(conf, P_queue_directory)) != 0) {
        log_fatal("chdir %s: %m", conf_str(conf, P_queue_directory));
    }
    find_owner(master);
    locks_take(master);
    master->environment = environment_make(conf);
    master->ticket_fd = ticket_memory_make();
    /* services_apply takes over what it is given, and frees what was there. */
    master->settings = NULL;
    if (services_apply(master, settings, &err) != OK) {
        log_fatal("%s", err.text);
    }
}

static void set_up_log(struct master *master, const struct options *options)
{
    struct err err;
    bool foreground = options->keep_output || options->init || options->stdout_log;
    const struct conf *conf = master->settings->conf;
    if (log_open(master, conf, foreground, &err) != OK) {
        log_fatal("%s", err.text);
    }
    if (options->stdout_log &&
        strcmp(conf_str(conf, P_maillog_file), "/dev/stdout") != 0) {
        log_fatal("-s needs maillog_file = /dev/stdout");
    }
    log_set_stderr(false);
}

static struct settings *read_settings(const struct options *options)
{
    struct settings *settings = settings_read(options->directory);
    if (settings == NULL) {
        log_fatal("the configuration has errors");
    }
    return settings;
}

static void prepare(struct master *master, const struct options *options)
{
    (void)umask(077);
    log_set_verbose(options->verbose);
    master->log_fd = -1;
    master->verbose = options->verbose;
    list_init(&master->services);
    master->settings = read_settings(options);
    master->config_directory = xstrdup(conf_directory(master->settings->conf));
    if (options->test) {
        test_and_exit(master->settings->conf);
    }
    set_up_log(master, options);
    loop_catch_signals();
    raise_descriptor_limit();
    open_everything(master);
    if (options->init) {
        adopt_orphans();
    }
}

static void tell_ready(int *ready)
{
    if (*ready >= 0 && !file_write_all(*ready, "", 1)) {
        log_warning("tell that master is ready: %m");
    }
    fd_close(ready);
}

int main(int argc, char **argv)
{
    struct master master = {0};
    log_init("master");
    struct options options = parse_options(argc, argv);
    int ready = options.wait ? go_to_background() : -1;
    prepare(&master, &options);
    if (!options.keep_output && !options.init && !options.stdout_log) {
        leave_terminal();
    }
    log_mode(&master);
    log_info("daemon started -- version %s, configuration %s",
             conf_str(master.settings->conf, P_mail_version), master.config_directory);
    tell_ready(&ready);
    loop_run(&master, options.end);
    services_free(&master);
    settings_free(&master.settings);
    environment_free(&master.environment);
    free(master.config_directory);
    fd_close(&master.ticket_fd);
    fd_close(&master.pid_lock);
    fd_close(&master.data_lock);
    return EXIT_SUCCESS;
}
