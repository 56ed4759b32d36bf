/* SPDX-License-Identifier: MIT */
/*
 * postdrop: the only program that may write into maildrop/, for users who may not.
 * It is installed set-gid, so everything it is given is hostile: the environment,
 * the arguments, open descriptors, signals at any time, and the message.
 */
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "map/map.h"
#include "rpc/notify.h"
#include "service/command.h"
#include "submit/postdrop/postdrop.h"

/* The file that must not stay behind when a signal ends us: handlers know no arguments.
 */
static char unfinished_path[256];

static void note_unfinished(const char *path)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all); /* these cannot fail */
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    size_t len = strlen(path);
    CHECK(len < sizeof(unfinished_path));
    memcpy(unfinished_path, path, len + 1);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

static void on_signal(int number)
{
    if (unfinished_path[0] != '\0') {
        (void)unlink(unfinished_path); /* nobody is left to be told */
    }
    _exit(128 + number);
}

static void catch_signals(void)
{
    static const int deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigfillset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
        struct sigaction old;
        /* nohup: what the caller ignores stays ignored. */
        if (sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            (void)sigaction(deadly[i], &action, NULL);
        }
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

static char *user_name(uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    return user != NULL ? xstrdup(user->pw_name) : xasprintf("%ld", (long)uid);
}

static void check_authorized(const struct conf *conf)
{
    struct err err = {0};
    char *name = user_name(getuid());
    struct match_list *list =
        match_list_open(conf, "authorized_submit_users",
                        conf_str(conf, P_authorized_submit_users), MATCH_STRING);
    if (match_list_find(list, view_cstr(name), view_of("", 0), &err) != MAP_FOUND) {
        log_fatal_status(EX_NOPERM, "User %s(%ld) is not allowed to submit mail", name,
                         (long)getuid());
    }
    match_list_close(&list);
    free(name);
}

/* Pickup looks by itself once a minute: that it cannot be told is no failure. */
static void wake_pickup(const struct dropper *dropper)
{
    struct stat st;
    char *path = xasprintf("public/%s", conf_str(dropper->conf, P_pickup_service_name));
    if (stat(path, &st) != 0) {
        log_warning("unable to look up %s: %m", path);
    } else if (notify_send(path, NOTIFY_WAKEUP, view_of("", 0), NULL) != OK) {
        log_debug("cannot wake up %s", path);
    }
    free(path);
}

struct arguments {
    const char *config;
    int verbose;
};

static void parse_arguments(int argc, char **argv, struct arguments *out)
{
    int option;
    *out = (struct arguments){0};
    while ((option = getopt(argc, argv, "c:rv")) != -1) {
        switch (option) {
        case 'c':
            out->config = optarg;
            break;
        case 'r': /* the answer that -r once asked for is always given */
            break;
        case 'v':
            out->verbose++;
            break;
        default:
            log_fatal("usage: postdrop [-c config_dir] [-v]");
        }
    }
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    (void)umask(022); /* pickup, another user, must be able to read the files */
    (void)command_init(argc, argv);
    parse_arguments(argc, argv, &arguments);
    log_set_verbose(arguments.verbose);
    struct conf *conf = command_conf(arguments.config, false);
    command_log_to_maillog(conf);
    check_authorized(conf);
    command_enter_queue(conf);
    catch_signals();
    struct dropper dropper = {
        .conf = conf,
        .dirs = queue_dirs_new(conf),
        .uid = (long)getuid(),
        .incomplete = note_unfinished,
        .dropped = wake_pickup,
    };
    struct stream *client = stream_new_pair(STDIN_FILENO, STDOUT_FILENO);
    stream_set_timeout(client, conf_time(conf, P_ipc_timeout));
    bool orderly = drop_serve(&dropper, client);
    stream_free(&client);
    if (!orderly) {
        log_fatal("uid=%ld: malformed submission", dropper.uid);
    }
    queue_dirs_free(&dropper.dirs);
    conf_free(&conf);
    return EXIT_SUCCESS;
}
