/* SPDX-License-Identifier: MIT */
/*
 * The log.  One write per line, to a descriptor, to syslog or to standard
 * error; the line format is Postfix's, because log readers parse it:
 *
 *     Nov 22 08:41:32 mail postfix/qmgr[8215]: 307D1A90021: removed
 *
 * Control characters in the text are replaced by '?', so nobody outside can
 * forge a line.  Severity words ("warning: ") come first in the text.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum log_level {
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_FATAL,
    LOG_LEVEL_PANIC
};

/* Program name for "PROGRAM: text" on standard error, which is where everything
 * goes until a sink is set.  PROGRAM must outlive the process. */
void log_init(const char *program);
/* "postfix/smtpd": what stands before "[pid]" in files and syslog. */
void log_set_tag(const char *tag);
/* Host name in file lines: the first label of myhostname. */
void log_set_host(const char *myhostname);
/* Copy log lines to standard error too (commands: true; workers: false). */
void log_set_stderr(bool on);
/* Write file-format lines to FD (not owned; append mode); -1: none. */
void log_set_fd(int fd);
/* Log through syslog(3), facility mail (or FACILITY, as in syslog_facility). */
bool log_set_syslog(const char *facility);
/* Level of -v: 0 hides log_debug(). */
void log_set_verbose(int level);
int log_verbose(void);
/* Number shown in the tag; the default is the process ID.  A concurrent worker
 * gives a function that returns the running session's number, or 0 for none. */
void log_set_number(uint64_t (*current_session_number)(void));
/* Called with every finished text "warning: ..." before it goes to standard error; for
 * tests, the postlog client, and who has something on the terminal.  NULL to stop. */
void log_set_hook(void (*hook)(enum log_level level, const char *text, void *context),
                  void *context);

void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);
void log_at(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
/* Log "fatal: ..." and exit with status 1 (daemons wait a second first, see
 * log_set_fatal_delay, so that a failing service is not started in a tight loop). */
NORETURN void log_fatal(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same with an exit status of sysexits(3). */
NORETURN void log_fatal_status(int status, const char *format, ...) PRINTF_LIKE(2, 3);
/* Log "panic: ..." and abort. */
NORETURN void log_panic(const char *format, ...) PRINTF_LIKE(1, 2);
void log_set_fatal_delay(unsigned seconds);
/* What log_fatal() exits with from now on (postqueue: 69); the default is 1. */
void log_set_fatal_status(int status);

/* "hint: ..." on standard error if that is a terminal; nothing in the log. */
void log_hint(const char *format, ...) PRINTF_LIKE(1, 2);

/* Write one line "DATE HOST TAG[NUMBER]: TEXT" (used by postlogd for others). */
void log_format_line(char *line, unsigned long size, const char *host, const char *tag,
                     uint64_t number, const char *text);

#endif
