/* SPDX-License-Identifier: MIT */
/*
 * What the parts of bounce share.
 *
 *   main.c       the service
 *   request.c    who is to be told what
 *   notice.c     one notice: composed and submitted
 *   report.c     what a notice says about each recipient
 *   template.c   the texts of notices, built in or from bounce_template_file
 */
#ifndef BOUNCE_BOUNCE_H
#define BOUNCE_BOUNCE_H

#include "base/arena.h"
#include "base/str.h"
#include "conf/conf.h"
#include "mail/delivery_log.h"
#include "mail/queue_dir.h"
#include "mail/queue_file.h"
#include "rpc/bounce.h"
#include "rpc/submit.h"

/* --- template.c ------------------------------------------------------------------- */

enum template_kind {
    TEMPLATE_FAILURE,
    TEMPLATE_DELAY,
    TEMPLATE_SUCCESS,
    TEMPLATE_VERIFY,
    TEMPLATE_COUNT
};

struct template
{
    struct view charset, from, subject;
    struct view postmaster_subject;
    struct view body;   /* lines, not expanded */
    const char *origin; /* file, or "[built-in]" */
};

struct templates {
    struct arena arena;
    struct template of[TEMPLATE_COUNT];
};

/* The built-in texts, replaced by those that the file named by bounce_template_file
 * has.  A file that cannot be used is reported and ignored: notices must go out. */
void templates_load(struct templates *templates, const struct conf *conf);
void templates_free(struct templates *templates);
/* The body with its $names expanded. */
void template_expand(const struct template *template, enum template_kind kind,
                     const struct conf *conf, struct str *out);

/* --- request.c -------------------------------------------------------------------- */

struct bouncer {
    const struct conf *conf;
    struct queue_dirs *dirs;
    struct submit_client *cleanup;
    struct templates templates;
};

/* Do what REQUEST asks for.  Waits. */
enum outcome request_serve(const struct bouncer *bouncer,
                           const struct bounce_request *request, struct err *err);

/* --- notice.c --------------------------------------------------------------------- */

enum notice_content { CONTENT_FULL, CONTENT_HEADERS };

struct notice {
    const struct bouncer *bouncer;
    enum bounce_kind kind;
    enum template_kind template;
    bool to_postmaster;
    struct view recipient;
    enum notice_content content;
    const char *what;        /* for the log: "sender non-delivery notification" */
    const char *description; /* of the returned part: "Undelivered Message" */
    /* The message that it is about. */
    const char *queue_id;
    int fd;
    const struct queue_message *message;
    struct view envelope_id;
    struct view sender; /* as shown: a null sender is MAILER-DAEMON here */
    const struct delivery_record *records;
    size_t record_count;
};

/* Compose and submit; logs the ID of the notice.  Waits. */
enum outcome notice_send(const struct notice *notice, struct err *err);

/* --- report.c --------------------------------------------------------------------- */

/* "<address> (expanded from <original>): reason", wrapped, for people. */
void report_text(const struct delivery_record *record, struct str *out);
/* The fields of RFC 3464 for one recipient; RETRY_UNTIL: 0 when it is final. */
void report_fields(const struct delivery_record *record, int64_t retry_until,
                   struct str *out);
/* TEXT in lines of fewer than 80 characters, broken at spaces; further ones are
 * indented. */
void report_wrap(struct view text, struct str *out);

#endif
