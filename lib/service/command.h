/* SPDX-License-Identifier: MIT */
/*
 * The start of every command: log to standard error (and to the mail log where that
 * command does), -c, MAIL_CONFIG and MAIL_VERBOSE, a clean environment for set-gid
 * programs.
 */
#ifndef SERVICE_COMMAND_H
#define SERVICE_COMMAND_H

#include <stdbool.h>

#include "conf/conf.h"

/* Base name of argv[0], log to standard error.  Makes sure that descriptors 0-2 exist;
 * a set-gid program loses its environment but for a few harmless names. */
const char *command_init(int argc, char **argv);
/* Does the process run with a group or user that its caller does not have? */
bool command_is_privileged(void);
/* Open the configuration or end with fatal; DIRECTORY from -c or NULL.  Set-gid
 * commands refuse an unauthorised DIRECTORY (alternate_config_directories).  The
 * directory is put into MAIL_CONFIG for programs that this one starts. */
struct conf *command_conf(const char *directory, bool warn);
/* The same without asking for any value yet, for callers with "-o name=value" of their
 * own; they call command_set_tag() afterwards. */
struct conf *command_conf_open(const char *directory, bool warn);
/* Also write log lines to the mail log (maillog_file or syslog): postsuper, postqueue,
 * sendmail, postfix.  A process that cannot write maillog_file sends them to postlogd;
 * failing that they go to standard error only. */
void command_log_to_maillog(const struct conf *conf);
/* Tag of the lines in the mail log: "<syslog_name>/NAME" (command_conf sets the
 * program's). */
void command_set_tag(const struct conf *conf, const char *name);
/* Any tag, also on standard error (postlog -t); TAG must live as long as it is used
 * there, see log_init(). */
void command_set_full_tag(const char *tag);
/* chdir to queue_directory or fatal. */
void command_enter_queue(const struct conf *conf);

#endif
