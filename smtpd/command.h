/* SPDX-License-Identifier: MIT */
/* The commands: one function per verb, one file per function or family. */
#ifndef SMTPD_COMMAND_H
#define SMTPD_COMMAND_H

#include "base/view.h"
#include "smtpd/session.h"

/* ARGUMENTS is what follows the verb, without white space at either end.  Every
 * function replies; false: the command failed, which counts as an error of the client.
 * All wait. */
typedef bool command_function(struct session *session, struct view arguments);

enum command_flags {
    COMMAND_JUNK = 1,       /* counts for smtpd_junk_command_limit */
    COMMAND_LAST = 2,       /* who sends more before the reply is noticed (RFC 2920) */
    COMMAND_ALWAYS = 4,     /* even for clients that were denied */
    COMMAND_BEFORE_TLS = 8, /* in clear text, even where encryption is required */
};

struct command {
    const char *name;
    enum command_id id;
    unsigned flags; /* enum command_flags */
    command_function *run;
};

/* The command called NAME in any case, or NULL. */
const struct command *command_find(struct view name);
/* Drop what follows of a line that was cut at MOST bytes.  Waits. */
void command_skip_line(struct session *session, size_t most);
/* smtpd_per_request_deadline: what is read next must come in time as a whole. */
void command_set_deadline(struct session *session);
/* Read, do, reply, until the session is over. */
void command_loop(struct session *session);

command_function cmd_helo, cmd_ehlo, cmd_mail, cmd_rcpt, cmd_data, cmd_bdat, cmd_rset,
    cmd_noop, cmd_vrfy, cmd_etrn, cmd_quit, cmd_starttls, cmd_auth, cmd_xclient,
    cmd_xforward;

#endif
