/* SPDX-License-Identifier: MIT */
/*
 * What the parts of bounce share.
 *
 *   main.c       the service
 *   request.c    who is to be told what
 *   notice.c     one notice: composed and submitted
 *   report.c     what a notice says about each recipient
 */
#ifndef BOUNCE_BOUNCE_H
#define BOUNCE_BOUNCE_H

#include "mail/delivery_log.h"
#include "mail/notice_template.h"
#include "mail/queue_dir.h"
#include "mail/queue_file.h"
#include "rpc/bounce.h"
#include "rpc/submit.h"

/* --- request.c -------------------------------------------------------------------- */

struct bouncer {
    const struct conf *conf;
    struct queue_dirs *dirs;
    struct submit_client *cleanup;
    struct notice_templates templates;
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
