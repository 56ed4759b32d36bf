/* SPDX-License-Identifier: MIT */
/*
 * postfix logrotate: the mail log gets another name (maillog_file_rotate_suffix), the
 * running system a new file, and the old one is compressed when nobody writes to it
 * any more.
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
#include "sys/clock.h"

enum {
    SUFFIX_MAX = 128,
    COMPRESSOR_WORDS_MAX = 16,
    REOPEN_PATIENCE = 5 * CLOCK_SECOND,
    POLL_TIME = 20 * CLOCK_MILLISECOND,
    /* A worker that has just been told may be in the middle of a line. */
    LAST_LINES_TIME = 200 * CLOCK_MILLISECOND
};

static void compress(const struct control *control, char *file)
{
    char *command = xstrdup(conf_str(control->conf, P_maillog_file_compressor));
    char env[] = "/usr/bin/env";
    char *argv[COMPRESSOR_WORDS_MAX + 3] = {env};
    int count = 1;
    char *place = NULL;
    for (char *word = strtok_r(command, " \t", &place);
         word != NULL && count <= COMPRESSOR_WORDS_MAX;
         word = strtok_r(NULL, " \t", &place)) {
        argv[count++] = word;
    }
    argv[count] = file;
    if (count == 1) {
        log_fatal("maillog_file_compressor is empty: %s is not compressed", file);
    }
    if (control_run(env, argv, true) != 0) {
        log_fatal("cannot compress %s with \"%s\"", file,
                  conf_str(control->conf, P_maillog_file_compressor));
    }
    free(command);
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

static char *target_name(const struct control *control, const char *file)
{
    char suffix[SUFFIX_MAX];
    struct tm tm;
    time_t now = time(NULL);
    const char *format = conf_str(control->conf, P_maillog_file_rotate_suffix);
    (void)localtime_r(&now, &tm);
    if (!format_time(format, &tm, suffix, sizeof(suffix)) ||
        strchr(suffix, '/') != NULL) {
        log_fatal("bad value of maillog_file_rotate_suffix: %s", format);
    }
    return xasprintf("%s.%s", file, suffix);
}

/* A second rotation within the time that the suffix tells apart must not overwrite the
 * first. */
static void require_new(const char *target)
{
    static const char *const endings[] = {"", ".gz", ".bz2", ".xz", ".zst"};
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        char *path = xasprintf("%s%s", target, endings[i]);
        if (access(path, F_OK) == 0) {
            log_fatal("%s exists already", path);
        }
        free(path);
    }
}

/* master opens a new file and hands it to all workers. */
static void make_master_reopen(const struct control *control, const char *file)
{
    pid_t master = control_master_pid(control);
    if (master == 0) {
        return;
    }
    if (kill(master, SIGUSR1) != 0) {
        log_fatal("signal the master process %ld: %m", (long)master);
    }
    int64_t deadline = clock_now() + REOPEN_PATIENCE;
    while (access(file, F_OK) != 0) {
        if (clock_now() > deadline) {
            log_fatal("the master process %ld does not open a new %s", (long)master,
                      file);
        }
        (void)usleep(POLL_TIME);
    }
    (void)usleep(LAST_LINES_TIME);
}

int rotate_log(struct control *control)
{
    control_need_config(control, false);
    const char *file = conf_str(control->conf, P_maillog_file);
    if (file[0] == '\0' || strcmp(file, "/dev/stdout") == 0) {
        log_fatal("maillog_file is not a file: nothing to rotate");
    }
    char *target = target_name(control, file);
    require_new(target);
    if (rename(file, target) != 0) {
        log_fatal("rename %s to %s: %m", file, target);
    }
    make_master_reopen(control, file);
    compress(control, target);
    free(target);
    return EXIT_SUCCESS;
}
