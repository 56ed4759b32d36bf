/* SPDX-License-Identifier: MIT */
/*
 * postkick(1): a request to a service, for scripts.  The letters are those that
 * Postfix's queue manager knows, and ask ours for the same: look for work (W, I), or
 * try all deferred mail at once (D, F; A is part of it).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "rpc/notify.h"
#include "service/command.h"

NORETURN static void usage(void)
{
    log_fatal("usage: postkick [-c config_dir] [-v] class service request");
}

static const char *parse_options(int argc, char **argv)
{
    int option;
    const char *directory = NULL;
    while ((option = getopt(argc, argv, "c:v")) != -1) {
        switch (option) {
        case 'c':
            directory = optarg;
            break;
        case 'v':
            log_set_verbose(log_verbose() + 1);
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 3) {
        usage();
    }
    return directory;
}

static enum notify_frame frame_for(const char *request)
{
    if (request[0] == '\0' || request[strspn(request, "ADFIW")] != '\0') {
        log_fatal("unknown request: \"%s\" (known: A D F I W)", request);
    }
    return strpbrk(request, "DF") != NULL ? NOTIFY_FLUSH : NOTIFY_WAKEUP;
}

static const char *parse_class(const char *class)
{
    if (strcmp(class, "public") != 0 && strcmp(class, "private") != 0) {
        log_fatal("unknown class: \"%s\" (known: public private)", class);
    }
    return class;
}

int main(int argc, char **argv)
{
    struct err err;
    struct stat st;
    (void)command_init(argc, argv);
    const char *directory = parse_options(argc, argv);
    const char *class = parse_class(argv[optind]);
    const char *service = argv[optind + 1];
    enum notify_frame kind = frame_for(argv[optind + 2]);
    struct conf *conf = command_conf(directory, false);
    command_enter_queue(conf);
    conf_free(&conf);
    char *path = xasprintf("%s/%s", class, service);
    if (stat(path, &st) != 0) {
        log_warning("unable to look up %s: %m", path);
    }
    bool sent = notify_send(path, kind, VIEW(""), &err) == OK;
    free(path);
    if (!sent) {
        log_warning(
            "Cannot contact class %s service %s - perhaps the mail system is down",
            class, service);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
