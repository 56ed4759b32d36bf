/* SPDX-License-Identifier: MIT */
/*
 * postqueue: what every user may do to the queue: look at it, and ask for another
 * delivery attempt.  Runs set-gid so that it reaches the services in public/.
 */
#include <pwd.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "map/map.h"
#include "postqueue/postqueue.h"
#include "service/command.h"

struct arguments {
    const char *config_directory;
    char mode; /* 'p', 'j', 'f', 'i', 's' */
    const char *operand;
};

NORETURN static void usage(void)
{
    log_fatal(
        "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | "
        "postqueue -s site");
}

static void parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    int c;
    while ((c = getopt(argc, argv, "c:fi:jps:v")) >= 0) {
        switch (c) {
        case 'c':
            arguments->config_directory = optarg;
            break;
        case 'f':
        case 'i':
        case 'j':
        case 'p':
        case 's':
            if (arguments->mode != '\0') {
                usage();
            }
            arguments->mode = (char)c;
            arguments->operand = optarg;
            break;
        case 'v':
            log_set_verbose(log_verbose() + 1);
            break;
        default:
            usage();
        }
    }
    if (arguments->mode == '\0' || optind < argc) {
        usage();
    }
}

/* Ends the process unless LIST, the value of PARAMETER, names the caller.  Root, and
 * the mail system itself, need no permission. */
static void check_permission(const struct conf *conf, const char *parameter,
                             const char *list, const char *what)
{
    uid_t uid = getuid();
    if (uid == 0) {
        return;
    }
    STR_AUTO struct str name = {0};
    const struct passwd *user = getpwuid(uid);
    str_add_cstr(&name, user != NULL ? user->pw_name : "unknown");
    if (view_equal_cstr(str_view(&name), conf_str(conf, P_mail_owner))) {
        return;
    }
    struct err err = {0};
    struct match_list *users = match_list_open(conf, parameter, list, MATCH_STRING);
    enum map_result result = match_list_find(users, str_view(&name), VIEW(""), &err);
    match_list_close(&users);
    if (result == MAP_ERROR) {
        log_fatal("%s: %s", parameter, err.text);
    }
    if (result != MAP_FOUND) {
        log_fatal("User %s(%ld) is not allowed to %s the mail queue", str_ptr(&name),
                  (long)uid, what);
    }
}

int main(int argc, char **argv)
{
    log_set_fatal_status(EX_UNAVAILABLE);
    (void)command_init(argc, argv);
    struct arguments arguments = {0};
    parse_arguments(argc, argv, &arguments);
    struct conf *conf = command_conf(arguments.config_directory, true);
    command_log_to_maillog(conf);
    command_enter_queue(conf);
    bool listing = arguments.mode == 'p' || arguments.mode == 'j';
    if (listing) {
        check_permission(conf, "authorized_mailq_users",
                         conf_str(conf, P_authorized_mailq_users), "view");
        listing_show(conf, arguments.mode == 'j');
    } else {
        check_permission(conf, "authorized_flush_users",
                         conf_str(conf, P_authorized_flush_users), "flush");
        if (arguments.mode == 'f') {
            flush_all(conf);
        } else if (arguments.mode == 'i') {
            flush_id(conf, arguments.operand);
        } else {
            flush_site(conf, arguments.operand);
        }
    }
    conf_free(&conf);
    return EXIT_SUCCESS;
}
