/* SPDX-License-Identifier: MIT */
/*
 * The configuration as the postfix command needs it: complete and checked for what
 * starts or changes something, and as much as can be read for the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "conf/build_paths.h"
#include "conf/logical_line.h"
#include "conf/master_cf.h"
#include "master/postfix_command.h"
#include "service/command.h"
#include "sys/file.h"
#include "sys/log_file.h"

enum { MAIN_CF_MOST = 16 * 1024 * 1024 };

static void add_problem(void *context, const char *file, int line, const char *text)
{
    struct control *control = context;
    if (line > 0) {
        str_printf(&control->problems, "%s, line %d: %s\n", file, line, text);
    } else {
        str_printf(&control->problems, "%s\n", text);
    }
}

/* main.cf without the lines that are no settings, so that the others can be used. */
static struct conf *open_what_is_good(const char *directory, struct err *err)
{
    STR_AUTO struct str path = {0};
    STR_AUTO struct str text = {0};
    STR_AUTO struct str good = {0};
    str_printf(&path, "%s/main.cf", directory);
    if (file_read(str_ptr(&path), MAIN_CF_MOST, &text, err) != OK) {
        return NULL;
    }
    struct logical_line reader = {.rest = str_view(&text)};
    while (logical_line_next(&reader)) {
        struct view line = str_view(&reader.text);
        size_t equals = view_index(line, '=');
        if (equals > 0 && equals < line.len && line.ptr[0] != ' ' &&
            line.ptr[0] != '\t') {
            str_add(&good, line);
            str_add_byte(&good, '\n');
        }
    }
    logical_line_done(&reader);
    return conf_open_text(directory, str_ptr(&good), err);
}

/* A value that must not end us, whatever is wrong with it. */
static char *read_value(const struct control *control, const char *name,
                        const char *otherwise)
{
    STR_AUTO struct str value = {0};
    struct err err;
    char *expression = xasprintf("$%s", name);
    bool good = control->conf != NULL &&
                conf_expand(control->conf, expression, &value, &err) == OK;
    free(expression);
    return xstrdup(good && value.len > 0 ? str_ptr(&value) : otherwise);
}

static void find_places(struct control *control)
{
    control->queue_directory =
        read_value(control, "queue_directory", BUILD_QUEUE_DIRECTORY);
    char *pid_directory = read_value(control, "process_id_directory", "pid");
    control->pid_file =
        xasprintf("%s/%s/master.pid", control->queue_directory, pid_directory);
    free(pid_directory);
}

void control_open(struct control *control, const char *directory)
{
    struct err err;
    if (directory == NULL) {
        directory = getenv("MAIL_CONFIG");
    }
    control->config_directory = directory != NULL ? directory : BUILD_CONFIG_DIRECTORY;
    if (setenv("MAIL_CONFIG", control->config_directory, 1) != 0) {
        log_fatal("set MAIL_CONFIG: %m");
    }
    control->conf = conf_open(control->config_directory, true, &err);
    if (control->conf != NULL) {
        (void)conf_validate(control->conf, add_problem, control);
    } else {
        struct err first = err;
        add_problem(control, "", 0, first.text);
        control->conf = open_what_is_good(control->config_directory, &err);
        if (control->conf == NULL) {
            log_fatal("%s", first.text);
        }
    }
    find_places(control);
}

void control_close(struct control *control)
{
    conf_free(&control->conf);
    str_done(&control->problems);
    free(control->queue_directory);
    free(control->pid_file);
}

/* The mail log of a configuration with mistakes: if it cannot be told, or not be
 * opened, syslog has to do. */
static void log_leniently(const struct control *control, bool own_stdout)
{
    struct err err;
    char *path = read_value(control, "maillog_file", "");
    char *prefixes = read_value(control, "maillog_file_prefixes", "");
    int fd = -1;
    if (path[0] != '\0' && strcmp(path, "/dev/stdout") != 0 &&
        log_file_allowed(path, prefixes)) {
        fd = log_file_open(path, &err);
    } else if (strcmp(path, "/dev/stdout") == 0 && own_stdout) {
        fd = STDOUT_FILENO;
    }
    if (fd >= 0) {
        log_set_fd(fd);
    } else {
        (void)log_set_syslog("mail");
    }
    free(path);
    free(prefixes);
}

void control_tag(const struct control *control)
{
    /* Kept by the log for the life of the process. */
    static char program[128];
    char *name = read_value(control, "syslog_name", "postfix");
    (void)snprintf(program, sizeof(program), "%s/postfix-script", name);
    free(name);
    log_init(program);
    log_set_tag(program);
}

void control_log(const struct control *control, bool own_stdout)
{
    char *host = read_value(control, "myhostname", "localhost");
    bool good = control->problems.len == 0;
    bool to_stdout =
        good && strcmp(conf_str(control->conf, P_maillog_file), "/dev/stdout") == 0;
    if (good && !(to_stdout && own_stdout)) {
        command_set_tag(control->conf, "postfix-script");
        command_log_to_maillog(control->conf);
    } else {
        log_leniently(control, own_stdout);
    }
    control_tag(control);
    log_set_host(host);
    free(host);
}

/* The first mistake in the words and place where scripts expect one, the others after
 * it.  The mail log gets them all, too. */
NORETURN static void refuse(const struct control *control, bool always)
{
    struct view rest = str_view(&control->problems);
    struct view line;
    const char *severity = "fatal";
    bool show = always || isatty(STDERR_FILENO) != 0;
    log_set_stderr(false);
    while (view_next_word(&rest, "\n", &line)) {
        log_error("%.*s", VIEW_ARG(line));
        if (show) {
            (void)fprintf(stderr, "postfix: %s: %.*s\n", severity, VIEW_ARG(line));
        }
        severity = "error";
    }
    exit(EXIT_FAILURE);
}

/* Programs that read the output of these commands know the message as postconf's. */
NORETURN static void refuse_as_postconf(const struct control *control)
{
    const char *commands = conf_str(control->conf, P_command_directory);
    log_fatal("cannot execute %s/postconf!", commands);
}

/* TEXT does not always say where, and never what would be right: the log gets that. */
NORETURN static void refuse_services(const struct control *control,
                                     const struct master_cf *services, const char *text)
{
    (void)fprintf(stderr, "%s/postconf: fatal: %s\n",
                  conf_str(control->conf, P_command_directory), text);
    if (services->allowed != NULL) {
        log_error("%s/master.cf, line %d: %s (allowed: %s)", control->config_directory,
                  services->error_line, text, services->allowed);
    } else {
        log_error("%s", text);
    }
    refuse_as_postconf(control);
}

/* postconf knows which settings nobody reads, and says so. */
static void run_postconf(const struct control *control)
{
    char *path = xasprintf("%s/postconf", conf_str(control->conf, P_command_directory));
    char option[] = "-n";
    char *argv[] = {path, option, NULL};
    int status = control_run(path, argv, true);
    free(path);
    if (status != 0) {
        refuse_as_postconf(control);
    }
}

static void need_config(const struct control *control, bool always, bool examine)
{
    struct master_cf services;
    struct err err;
    if (control->problems.len > 0) {
        refuse(control, always);
    }
    if (master_cf_read(control->config_directory, &services, &err) != OK) {
        refuse_services(control, &services, err.text);
    }
    run_postconf(control);
    if (examine) {
        (void)notice_unread(control, &services);
    }
    master_cf_done(&services);
}

void control_need_config(const struct control *control, bool always)
{
    need_config(control, always, false);
}

void control_examine_config(const struct control *control, bool always)
{
    need_config(control, always, true);
}

static bool owns(const char *path, bool *exists)
{
    struct stat st;
    *exists = stat(path, &st) == 0;
    return *exists && st.st_uid == geteuid();
}

void control_need_rights(const struct control *control)
{
    bool exists;
    if (geteuid() == 0 || owns(control->queue_directory, &exists)) {
        return;
    }
    /* A new instance: who owns its configuration may make the rest. */
    if (!exists && owns(control->config_directory, &exists)) {
        return;
    }
    log_set_stderr(true);
    log_error("to submit mail, use the Postfix sendmail command");
    log_fatal("the postfix command is reserved for the superuser");
}
