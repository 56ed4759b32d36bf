/* SPDX-License-Identifier: MIT */
/* What the parts of the postfix(1) command share. */
#ifndef MASTER_POSTFIX_COMMAND_H
#define MASTER_POSTFIX_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/str.h"
#include "conf/conf.h"

/* The instance that is to be controlled.  What stop and status need is known even when
 * the configuration has mistakes. */
struct control {
    const char *config_directory;
    struct conf *conf;     /* as far as it could be read */
    struct str problems;   /* what is wrong with it, a line each; empty: nothing */
    char *queue_directory; /* always known */
    char *pid_file;
    int verbose;
};

/* postfix_config.c */
/* Read main.cf of DIRECTORY (NULL: default); fatal only if there is none. */
void control_open(struct control *control, const char *directory);
void control_close(struct control *control);
/* Log as "postfix/postfix-script" to the mail log, and to standard error if that is a
 * terminal. OWN_STDOUT: a log on standard output is ours to write (start-fg). */
void control_log(const struct control *control, bool own_stdout);
/* Log as "postfix/postfix-script" again, after something else. */
void control_tag(const struct control *control);
/* End, saying what is wrong, unless main.cf and master.cf are good.  ALWAYS: say it on
 * standard error even when that is no terminal. */
void control_need_config(const struct control *control, bool always);
/* The same, and point out settings that have no effect. */
void control_examine_config(const struct control *control, bool always);
/* End unless the caller is root or the owner of the instance. */
void control_need_rights(const struct control *control);

/* postfix_notices.c */
struct master_cf;
/* Tell when the configuration asks for defaults of an old release. */
void notice_compatibility(const struct control *control);
/* Warn about parameters that are set and that no program acts on yet; their number. */
int notice_unread(const struct control *control, const struct master_cf *services);

/* postfix_control.c: the life cycle; each returns the exit status. */
int control_start(struct control *control);
int control_start_foreground(struct control *control);
int control_stop(struct control *control);
int control_abort(struct control *control);
int control_drain(struct control *control);
int control_reload(struct control *control);
int control_status(struct control *control);
int control_flush(struct control *control);
int control_check(struct control *control);
/* Process ID of the running master; 0: not running. */
pid_t control_master_pid(const struct control *control);
/* Run a program with our standard descriptors (QUIET: without standard output) and wait
 * for its exit status; -1: could not be executed. */
int control_run(const char *path, char *const argv[], bool quiet);

/* postfix_directories.c */
/* Make missing directories of the queue; false: could not. */
bool directories_make(const struct control *control);
int directories_set_permissions(struct control *control);
/* The users and groups of the directories. */
struct owners {
    uid_t mail_owner;
    gid_t mail_group, setgid_group;
    bool root; /* else everything belongs to the caller */
};
struct owners owners_find(const struct control *control);

/* postfix_check.c: warn about owners and modes. */
void check_permissions(const struct control *control);

/* postfix_tls.c: name the mistakes in TLS settings of servers; false: TLS would not
 * work. */
bool check_tls(const struct control *control);

/* postfix_migration.c: "postfix non-bdb WHAT"; NULL: status. */
int migration_run(struct control *control, const char *what);

/* postfix_tables.c: warn about lookup tables that cannot be used as they are. */
void check_tables(const struct control *control);

/* postfix_rotate.c */
int rotate_log(struct control *control);

#endif
