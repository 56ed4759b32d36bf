/* SPDX-License-Identifier: MIT */
/*
 * postfix logrotate: the mail log gets another name (maillog_file_rotate_suffix), the
 * running system a new file, and the old one is compressed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/postfix_command.h"
#include "sys/child.h"

enum { REOPEN_PAUSE_SECONDS = 1 };

static int compress(const struct control *control, char *file)
{
    static const int standard[] = {0, 1, 2};
    char *compressor = xstrdup(conf_str(control->conf, P_maillog_file_compressor));
    if (compressor[0] == '\0') {
        free(compressor);
        return 0;
    }
    char env[] = "/usr/bin/env";
    char *argv[] = {env, compressor, file, NULL};
    struct child_plan plan = {.path = env,
                              .argv = argv,
                              .descriptors = standard,
                              .descriptor_count = ARRAY_SIZE(standard)};
    pid_t pid = child_start(&plan);
    int status = pid > 0 ? child_wait(pid) : -1;
    free(compressor);
    if (status != 0) {
        script_warning("cannot compress %s", file);
    }
    return status != 0;
}

/* The format is the administrator's, as strftime(3) has it. */
static bool format_time(const char *format, const struct tm *tm, char *text,
                        size_t size)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return strftime(text, size, format, tm) > 0;
#pragma GCC diagnostic pop
}

int rotate_log(const struct control *control)
{
    const char *file = conf_str(control->conf, P_maillog_file);
    if (file[0] == '\0') {
        script_fatal("maillog_file is empty: syslog rotates the log");
    }
    if (strcmp(file, "/dev/stdout") == 0) {
        script_fatal("maillog_file is /dev/stdout: there is no file to rotate");
    }
    char suffix[64];
    struct tm tm;
    time_t now = time(NULL);
    (void)localtime_r(&now, &tm);
    if (!format_time(conf_str(control->conf, P_maillog_file_rotate_suffix), &tm, suffix,
                     sizeof(suffix))) {
        script_fatal("maillog_file_rotate_suffix is empty or too long");
    }
    char *target = xasprintf("%s.%s", file, suffix);
    if (access(target, F_OK) == 0) {
        script_fatal("%s exists already", target);
    }
    if (rename(file, target) != 0) {
        script_fatal("rename %s to %s: %s", file, target, strerror(errno));
    }
    pid_t master = control_master_pid(control);
    if (master != 0 && kill(master, SIGHUP) == 0) {
        (void)sleep(
            REOPEN_PAUSE_SECONDS); /* workers write their last lines to the old file */
    }
    int status = compress(control, target);
    free(target);
    return status;
}
