/* SPDX-License-Identifier: MIT */
/*
 * postsuper: works on messages in the queue behind the mail system's back, and
 * keeps the queue directories in order.  Root only, because it can throw mail
 * away; it gives root up before it touches the first file.  Without root it serves
 * the owner of the queue.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "postsuper/postsuper.h"
#include "rpc/notify.h"
#include "service/command.h"
#include "sys/privilege.h"

/* In the order of work: what is to be deleted loses its logs first. */
static const char *const QUEUES[] = {QUEUE_DEFER_LOG, QUEUE_BOUNCE_LOG, QUEUE_MAILDROP,
                                     QUEUE_INCOMING,  QUEUE_ACTIVE,     QUEUE_DEFERRED,
                                     QUEUE_HOLD,      QUEUE_TRACE_LOG,  "flush"};

struct arguments {
    const char *config_directory;
    struct order *orders;
    size_t order_count;
    struct structure_options structure;
};

NORETURN static void usage(void)
{
    log_fatal(
        "usage: postsuper [-c config_dir] [-d queue_id (delete)] "
        "[-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] "
        "[-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] "
        "[-r queue_id (requeue)] [-s (structure fix)] "
        "[-S (redundant structure fix)][-v (verbose)] [queue...]");
}

static void parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    arguments->orders = xcalloc((size_t)argc, sizeof(*arguments->orders));
    int c;
    while ((c = getopt(argc, argv, "c:d:e:f:h:H:pr:sSv")) >= 0) {
        switch (c) {
        case 'c':
            arguments->config_directory = optarg;
            break;
        case 'd':
        case 'e':
        case 'f':
        case 'h':
        case 'H':
        case 'r':
            arguments->orders[arguments->order_count++] =
                (struct order){(char)c, optarg};
            break;
        case 'p':
            arguments->structure.purge = true;
            break;
        case 'S':
            arguments->structure.long_names = true;
            arguments->structure.names = true;
            break;
        case 's':
            arguments->structure.names = true;
            break;
        case 'v':
            log_set_verbose(log_verbose() + 1);
            break;
        default:
            usage();
        }
    }
    if (arguments->order_count == 0 && !arguments->structure.purge &&
        !arguments->structure.names) {
        arguments->structure.purge = arguments->structure.names = true;
    }
}

static void choose_queues(struct postsuper *postsuper, char **names)
{
    size_t count = 0;
    if (*names == NULL) {
        for (; count < ARRAY_SIZE(QUEUES); count++) {
            postsuper->queues[count] = QUEUES[count];
        }
        return;
    }
    for (; *names != NULL; names++) {
        const char *found = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(QUEUES); i++) {
            found = strcmp(*names, QUEUES[i]) == 0 ? QUEUES[i] : found;
        }
        if (found == NULL) {
            log_fatal("invalid directory name: %s", *names);
        }
        if (!postsuper_has_queue(postsuper, found)) {
            CHECK(count + 1 < QUEUES_MAX);
            postsuper->queues[count++] = found;
        }
    }
}

/* Root, or whose the queue is; anybody else learns nothing. */
static struct conf *open_conf(const char *directory)
{
    static const char RESERVED[] = "use of this command is reserved for the superuser";
    if (geteuid() == 0) {
        return command_conf(directory, true);
    }
    struct err err;
    struct stat st;
    struct conf *conf = conf_open(directory, true, &err);
    if (conf == NULL || stat(conf_str(conf, P_queue_directory), &st) != 0 ||
        st.st_uid != geteuid()) {
        log_fatal("%s", RESERVED);
    }
    return conf;
}

static void give_up_root(const struct conf *conf)
{
    struct privilege_user user;
    struct err err;
    if (geteuid() != 0) {
        return;
    }
    if (privilege_find_user(conf_str(conf, P_mail_owner), &user, &err) != OK ||
        privilege_drop(&user, &err) != OK) {
        log_fatal("%s", err.text);
    }
}

static void handle_stdin(struct postsuper *postsuper, char option)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    while ((len = getline(&line, &capacity, stdin)) >= 0) {
        if (len > 0 && line[len - 1] == '\n') {
            line[len - 1] = '\0';
        }
        message_handle(postsuper, option, line);
    }
    free(line);
}

static void note_wanted(bool wanted[ACTION_COUNT], char option)
{
    static const char OPTIONS[ACTION_COUNT] = {[ACTION_REQUEUE] = 'r',
                                               [ACTION_DELETE] = 'd',
                                               [ACTION_EXPIRE] = 'e',
                                               [ACTION_HOLD] = 'h',
                                               [ACTION_RELEASE] = 'H'};
    if (option == 'f') {
        wanted[ACTION_EXPIRE] = wanted[ACTION_RELEASE] = true;
        return;
    }
    for (int action = 0; action < ACTION_COUNT; action++) {
        wanted[action] = wanted[action] || OPTIONS[action] == option;
    }
}

static void handle_orders(struct postsuper *postsuper,
                          const struct arguments *arguments)
{
    bool all[ACTION_COUNT] = {false}, any = false;
    for (size_t i = 0; i < arguments->order_count; i++) {
        const struct order *order = &arguments->orders[i];
        note_wanted(postsuper->wanted, order->option);
        if (strcmp(order->id, "ALL") == 0) {
            note_wanted(all, order->option);
            any = true;
        } else if (strcmp(order->id, "-") == 0) {
            handle_stdin(postsuper, order->option);
        } else {
            message_handle(postsuper, order->option, order->id);
        }
    }
    if (any) {
        bulk_handle(postsuper, all);
    }
    if (postsuper->done[ACTION_REQUEUE] > 0) {
        if (notify_send("public/pickup", NOTIFY_WAKEUP, VIEW(""), NULL) != OK) {
            log_debug("pickup does not run: it will look when it starts");
        }
    }
}

static void summarise(const struct postsuper *postsuper)
{
    static const char *const TITLES[ACTION_COUNT] = {[ACTION_REQUEUE] = "Requeued",
                                                     [ACTION_DELETE] = "Deleted",
                                                     [ACTION_EXPIRE] = "Force-expired",
                                                     [ACTION_HOLD] = "Placed on hold",
                                                     [ACTION_RELEASE] =
                                                         "Released from hold"};
    for (int action = 0; action < ACTION_COUNT; action++) {
        size_t count = postsuper->done[action];
        if (postsuper->wanted[action]) {
            log_info("%s: %zu message%s", TITLES[action], count, count == 1 ? "" : "s");
        }
    }
    if (postsuper->renamed > 0) {
        log_info("Renamed to match inode number: %zu message%s", postsuper->renamed,
                 postsuper->renamed == 1 ? "" : "s");
        log_warning("QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS");
    }
}

int main(int argc, char **argv)
{
    (void)command_init(argc, argv);
    struct arguments arguments = {0};
    parse_arguments(argc, argv, &arguments);
    struct conf *conf = open_conf(arguments.config_directory);
    command_log_to_maillog(conf);
    command_enter_queue(conf);
    struct postsuper postsuper = {.dirs = queue_dirs_new(conf)};
    choose_queues(&postsuper, argv + optind);
    give_up_root(conf);
    handle_orders(&postsuper, &arguments);
    if (arguments.structure.names || arguments.structure.purge) {
        structure_check(&postsuper, &arguments.structure);
    }
    summarise(&postsuper);
    queue_dirs_free(&postsuper.dirs);
    free(arguments.orders);
    conf_free(&conf);
    return 0;
}
