/* SPDX-License-Identifier: MIT */
/* What the parts of the postfix(1) command share. */
#ifndef MASTER_POSTFIX_COMMAND_H
#define MASTER_POSTFIX_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"
#include "conf/conf.h"

/* Paths and names a sub-command needs, read leniently: a configuration that does not
 * parse must not keep anybody from stopping the system. */
struct control {
    const char *config_directory;
    struct conf *conf;           /* NULL: does not parse */
    const char *problem;         /* why not */
    const char *queue_directory; /* always known */
    const char *program;         /* argv[0], for finding our own directory */
    bool verbose;
};

/* Lines of "postfix/postfix-script": to the mail log, and to a terminal. */
void script_info(const char *format, ...) PRINTF_LIKE(1, 2);
void script_warning(const char *format, ...) PRINTF_LIKE(1, 2);
NORETURN void script_fatal(const char *format, ...) PRINTF_LIKE(1, 2);

/* Process ID of the running master; 0: not running. */
pid_t control_master_pid(const struct control *control);
/* End with a message unless the configuration is good; master.cf too. */
void control_need_config(struct control *control);

/* postfix_check.c */
/* Make missing directories of the queue; false: could not. */
bool check_make_directories(const struct control *control);
/* Warn about owners and modes that Postfix would warn about. */
void check_permissions(const struct control *control);
/* Set them (postfix set-permissions). */
bool check_set_permissions(const struct control *control);

/* postfix_rotate.c */
int rotate_log(const struct control *control);

#endif
