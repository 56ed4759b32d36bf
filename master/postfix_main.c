/* SPDX-License-Identifier: MIT */
/*
 * postfix(1): the life cycle of a mail system.  stop, abort and status work
 * whatever state the configuration is in; start and reload look at it first, and a
 * reload never replaces a good configuration by a bad one.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "master/postfix_command.h"
#include "service/command.h"

static int refuse_upgrade(struct control *control)
{
    (void)control;
    log_fatal(
        "upgrade-configuration is not built: no setting of an older version needs "
        "a change");
}

static int refuse_install(struct control *control)
{
    (void)control;
    log_fatal("post-install is not built: use \"postfix set-permissions\" after "
              "\"cmake --install\"");
}

static int refuse_tls(struct control *control)
{
    (void)control;
    log_fatal("tls is not built");
}

static const struct {
    const char *name;
    int (*run)(struct control *control);
} commands[] = {
    {"start", control_start},
    {"start-fg", control_start_foreground},
    {"stop", control_stop},
    {"abort", control_abort},
    {"drain", control_drain},
    {"reload", control_reload},
    {"status", control_status},
    {"flush", control_flush},
    {"check", control_check},
    {"logrotate", rotate_log},
    {"set-permissions", directories_set_permissions},
    {"upgrade-configuration", refuse_upgrade},
    {"post-install", refuse_install},
    {"tls", refuse_tls},
};

/* MORE: the words behind the command, NULL at the end. */
static int run_command(struct control *control, const char *name, char *const *more)
{
    if (strcmp(name, "non-bdb") == 0 && (more[0] == NULL || more[1] == NULL)) {
        return migration_run(control, more[0]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) != 0) {
            continue;
        }
        if (more[0] != NULL) {
            log_fatal("usage postfix %s (no arguments)", name);
        }
        return commands[i].run(control);
    }
    log_fatal(
        "unknown command: '%s'. Usage: postfix start (or stop, reload, abort, "
        "flush, check, status, set-permissions, upgrade-configuration, logrotate)",
        name);
}

static const char *parse_options(struct control *control, int argc, char **argv)
{
    int option;
    const char *directory = NULL;
    while ((option = getopt(argc, argv, "+c:Dv")) != -1) {
        switch (option) {
        case 'c':
            directory = optarg;
            break;
        case 'D':
            log_fatal("option -D (run daemons under a debugger) is not built");
        case 'v':
            control->verbose++;
            log_set_verbose(control->verbose);
            break;
        default:
            log_fatal("usage: postfix [-c config_dir] [-Dv] command");
        }
    }
    return directory;
}

int main(int argc, char **argv)
{
    struct control control = {0};
    (void)command_init(argc, argv);
    /* Scripts see our messages in the mail log; a person also on the terminal. */
    log_set_stderr(isatty(STDERR_FILENO) != 0);
    const char *directory = parse_options(&control, argc, argv);
    const char *name = optind < argc ? argv[optind] : "";
    control_open(&control, directory);
    control_need_rights(&control);
    control_log(&control, strcmp(name, "start-fg") == 0);
    notice_compatibility(&control);
    int status = run_command(&control, name, argv + optind + (optind < argc));
    control_close(&control);
    return status;
}
