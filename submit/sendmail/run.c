/* SPDX-License-Identifier: MIT */
/* Modes that other programs do: we become them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "submit/sendmail/sendmail.h"

enum { ARGUMENTS_MAX = 64 };

struct command {
    char *arguments[ARGUMENTS_MAX + 1];
    size_t count;
};

static void add(struct command *command, char *argument)
{
    if (command->count == ARGUMENTS_MAX) {
        log_fatal("too many arguments for %s", command->arguments[0]);
    }
    command->arguments[command->count++] = argument;
}

static struct command command_of(const char *directory, const char *name, int verbose)
{
    struct command command = {0};
    add(&command, xasprintf("%s/%s", directory, name));
    for (int i = 1; i < verbose; i++) {
        add(&command, xstrdup("-v"));
    }
    return command;
}

NORETURN static void become(struct command *command)
{
    char *path = command->arguments[0];
    (void)execv(path, command->arguments);
    log_fatal_status(EX_TEMPFAIL, "execute %s: %m", path);
}

NORETURN static void flush_queue(const struct conf *conf, const struct options *options)
{
    struct command command =
        command_of(conf_str(conf, P_command_directory), "postqueue", options->verbose);
    if (options->flush_site != NULL) {
        add(&command, xstrdup("-s"));
        add(&command, xstrdup(options->flush_site));
    } else if (options->flush_id != NULL) {
        add(&command, xstrdup("-i"));
        add(&command, xstrdup(options->flush_id));
    } else {
        add(&command, xstrdup("-f"));
    }
    become(&command);
}

NORETURN static void list_queue(const struct conf *conf, const struct options *options)
{
    struct command command =
        command_of(conf_str(conf, P_command_directory), "postqueue", options->verbose);
    add(&command, xstrdup("-p"));
    become(&command);
}

/* Every table of alias_database, or the one that was named. */
NORETURN static void build_aliases(const struct conf *conf,
                                   const struct options *options)
{
    struct command command =
        command_of(conf_str(conf, P_command_directory), "postalias", options->verbose);
    add(&command, xstrdup("--"));
    size_t before = command.count;
    if (options->alias_file != NULL) {
        add(&command, xstrdup(options->alias_file));
    } else {
        struct view rest = view_cstr(conf_str(conf, P_alias_database));
        struct view table;
        while (conf_list_next(&rest, &table)) {
            add(&command, xviewdup(table));
        }
    }
    if (command.count == before) {
        exit(EXIT_SUCCESS); /* no table, nothing to build */
    }
    become(&command);
}

/* Does "postfix status" say that the mail system runs? */
static bool is_running(struct command *command)
{
    int status = -1;
    pid_t child = fork();
    if (child < 0) {
        log_fatal_status(EX_TEMPFAIL, "fork: %m");
    }
    if (child == 0) {
        int nowhere = open("/dev/null", O_RDWR);
        if (nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 &&
            dup2(nowhere, STDERR_FILENO) >= 0) {
            (void)execv(command->arguments[0], command->arguments);
        }
        _exit(EX_OSERR);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

NORETURN static void start_system(const struct conf *conf)
{
    struct command command =
        command_of(conf_str(conf, P_command_directory), "postfix", 0);
    add(&command, xstrdup("status"));
    if (is_running(&command)) {
        exit(EXIT_SUCCESS);
    }
    command.count--;
    add(&command, xstrdup("start"));
    become(&command);
}

NORETURN static void serve_smtp(const struct conf *conf, const struct options *options)
{
    identity_check_authorized(conf);
    struct command command =
        command_of(conf_str(conf, P_daemon_directory), "smtpd", options->verbose);
    add(&command, xstrdup("-S"));
    become(&command);
}

void run_mode(const struct conf *conf, const struct options *options)
{
    switch (options->mode) {
    case MODE_SMTP:
        serve_smtp(conf, options);
    case MODE_LIST_QUEUE:
        list_queue(conf, options);
    case MODE_ALIASES:
        build_aliases(conf, options);
    case MODE_DAEMON:
        start_system(conf);
    case MODE_FLUSH:
        flush_queue(conf, options);
    case MODE_NOTHING:
    case MODE_DELIVER:
    case MODE_VERIFY:
        break;
    }
    exit(EXIT_SUCCESS);
}
