/* SPDX-License-Identifier: MIT */
/*
 * What the parts of sendmail share.
 *
 *   options.c    the command line
 *   identity.c   who sends: address, full name, permission
 *   deliver.c    a message from standard input to postdrop
 *   extract.c    recipients from the headers (-t)
 *   run.c        the programs that do the other modes
 */
#ifndef SENDMAIL_SENDMAIL_H
#define SENDMAIL_SENDMAIL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/view.h"
#include "conf/conf.h"
#include "rpc/submit.h"

enum mode {
    MODE_DELIVER,
    MODE_VERIFY,     /* -bv */
    MODE_SMTP,       /* -bs */
    MODE_LIST_QUEUE, /* -bp, mailq */
    MODE_ALIASES,    /* -bi, -I, newaliases */
    MODE_DAEMON,     /* -bd, -bl */
    MODE_FLUSH,      /* -q */
    MODE_NOTHING     /* -q30m, -bh: answered by other means in this mail system */
};

struct options {
    enum mode mode;
    bool extract_recipients; /* -t */
    bool ignore_dots;        /* -i */
    const char *sender;      /* -f, -r; NULL: the caller */
    const char *fullname;    /* -F */
    const char *encoding;    /* "8bit", "7bit" or NULL */
    const char *envelope_id; /* -V */
    uint8_t dsn_notify;      /* -N */
    uint8_t dsn_ret;         /* -R */
    const char *alias_file;  /* -oA */
    const char *flush_site;  /* -qR */
    const char *flush_id;    /* -qI */
    const char *config;      /* -C */
    const char *log_label;   /* -L */
    int verbose;
    char **recipients; /* NULL-terminated */
};

/* --- options.c -------------------------------------------------------------------- */

/* Ends the process, with Postfix's words, when the command line is wrong. */
void options_parse(const char *program, int argc, char **argv, struct options *out);

/* --- identity.c ------------------------------------------------------------------- */

struct identity {
    long uid;
    struct view address; /* internal form */
    struct view fullname;
};
void identity_find(const struct options *options, struct arena *arena,
                   struct identity *out);
/* End the process unless authorized_submit_users has the caller. */
void identity_check_authorized(const struct conf *conf);
/* "sender(uid): TEXT", and the exit status that asks the caller to try again. */
NORETURN void identity_fatal(const struct identity *who, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* --- extract.c -------------------------------------------------------------------- */

/* Recipients found in headers; zeroed struct: none, no line seen. */
struct extraction {
    struct arena arena;
    struct str header; /* lines of the present one */
    bool in_body;
    struct view *plain, *resent; /* internal addresses */
    size_t plain_count, resent_count;
};
/* The next LINE of the message, without its line end. */
void extract_line(struct extraction *extraction, struct view line);
/* The addresses that count: those of Resent- headers if there are any. */
size_t extract_recipients(struct extraction *extraction, struct view **addresses_out);
void extract_done(struct extraction *extraction);
/* Addresses in TEXT, an argument of the command line, appended to *LIST in ARENA. */
void extract_addresses(struct arena *arena, struct view text, struct view **list,
                       size_t *count);

/* --- deliver.c, run.c ------------------------------------------------------------- */

void deliver_message(const struct conf *conf, const struct options *options);
/* Run what OPTIONS->mode asks for; does not return. */
NORETURN void run_mode(const struct conf *conf, const struct options *options);

#endif
