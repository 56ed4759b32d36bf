/* SPDX-License-Identifier: MIT */
/*
 * Where a listing comes from: the showq service, or, while the mail system is
 * down, the queue itself for those who may read it.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/connect.h"
#include "postqueue/postqueue.h"
#include "rpc/showq.h"
#include "sys/clock.h"
#include "sys/privilege.h"
#include "task/task.h"

static const int64_t READ_TIME = (int64_t)3600 * CLOCK_SECOND;

static void show_from_server(struct report *report, int fd)
{
    struct stream *server = stream_new(fd);
    stream_set_timeout(server, READ_TIME);
    struct arena arena = {0};
    struct queue_list_entry entry;
    bool complete;
    while (showq_receive_entry(server, &arena, &entry, &complete)) {
        report_entry(report, &entry);
        arena_clear(&arena);
    }
    arena_clear(&arena);
    stream_free(&server);
    if (!complete) {
        (void)fflush(report->out);
        log_fatal("the showq service cut its listing off");
    }
}

struct walk {
    struct report *report;
    const struct conf *conf;
};

static void walk_queue(void *context)
{
    const struct walk *walk = context;
    struct queue_dirs *dirs = queue_dirs_new(walk->conf);
    struct queue_list *list = queue_list_open(dirs);
    struct arena arena = {0};
    struct queue_list_entry entry;
    while (queue_list_next(list, &arena, &entry)) {
        report_entry(walk->report, &entry);
        arena_clear(&arena);
    }
    arena_clear(&arena);
    queue_list_close(&list);
    queue_dirs_free(&dirs);
}

/* In a fiber, because then files are read ahead. */
static void show_from_files(struct report *report, const struct conf *conf)
{
    struct walk walk = {.report = report, .conf = conf};
    task_init();
    (void)task_spawn("walk", walk_queue, &walk);
    task_run(true);
    task_done();
}

static bool owns_queue(void)
{
    struct stat st;
    return getuid() == geteuid() && getgid() == getegid() && stat(".", &st) == 0 &&
           st.st_uid == getuid();
}

/* Files that outsiders filled are not for root's eyes. */
static void give_up_root(const struct conf *conf)
{
    struct privilege_user user;
    struct err err;
    if (geteuid() == 0 &&
        (privilege_find_user(conf_str(conf, P_mail_owner), &user, &err) != OK ||
         privilege_drop(&user, &err) != OK)) {
        log_fatal("%s", err.text);
    }
}

static void show_without_server(struct report *report, const struct conf *conf,
                                const struct err *why)
{
    const char *name = conf_str(conf, P_mail_name);
    if (why->code != ENOENT && why->code != ECONNREFUSED) {
        log_fatal("Connect to the %s %s service: %s", name,
                  conf_str(conf, P_showq_service_name), why->text);
    }
    if (getuid() != 0 && !owns_queue()) {
        log_fatal("Queue report unavailable - mail system is down");
    }
    log_warning("Mail system is down -- accessing queue directly"
                " (Connect to the %s %s service: %s)",
                name, conf_str(conf, P_showq_service_name), why->text);
    give_up_root(conf);
    show_from_files(report, conf);
}

void listing_show(const struct conf *conf, bool json)
{
    static char buffer[64 * 1024]; /* of stdout, which outlives this function */
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    struct report report = {.out = stdout,
                            .json = json,
                            .long_ids = conf_bool(conf, P_enable_long_queue_ids)};
    STR_AUTO struct str path = {0};
    struct err err;
    str_printf(&path, "public/%s", conf_str(conf, P_showq_service_name));
    int fd = connect_unix(str_ptr(&path), clock_now() + READ_TIME, &err);
    if (fd >= 0) {
        show_from_server(&report, fd);
    } else {
        show_without_server(&report, conf, &err);
    }
    report_end(&report);
    if (fflush(stdout) != 0) {
        log_fatal("write error: %m");
    }
}
