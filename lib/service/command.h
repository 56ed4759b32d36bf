/* SPDX-License-Identifier: MIT */
/*
 * The start of every command: log to standard error (and to the mail log where that
 * command does), -c, MAIL_CONFIG and MAIL_DEBUG, a clean environment for set-gid
 * programs.
 */
#ifndef SERVICE_COMMAND_H
#define SERVICE_COMMAND_H

#include <stdbool.h>

#include "conf/conf.h"

/* Base name of argv[0], log to standard error. */
const char *command_init(int argc, char **argv);
/* Open the configuration or end with fatal; DIRECTORY from -c or NULL.  Set-gid
 * commands refuse an unauthorised DIRECTORY (alternate_config_directories). */
struct conf *command_conf(const char *directory, bool warn);
/* Also write log lines to the mail log (maillog_file or syslog): postsuper, postqueue,
 * sendmail, postfix.  A process that cannot write maillog_file sends them to postlogd;
 * failing that they go to standard error only. */
void command_log_to_maillog(const struct conf *conf);
/* chdir to queue_directory or fatal. */
void command_enter_queue(const struct conf *conf);

#endif
