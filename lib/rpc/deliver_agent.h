/* SPDX-License-Identifier: MIT */
/* What all delivery agents do alike: open the message, report each recipient. */
#ifndef RPC_DELIVER_AGENT_H
#define RPC_DELIVER_AGENT_H

#include "conf/conf.h"
#include "mail/delivery_status.h"
#include "mail/queue_dir.h"
#include "rpc/deliver.h"

/* The message's file, open for reading and for marking recipients, with a shared lock
 * that tells a restarted queue manager that somebody is at work.  -1 with ERR, whose
 * outcome is PERMFAIL when the content does not have its sum: then nothing of it may be
 * delivered, and deliver_refuse() tells the queue manager why. */
int deliver_open_message(const struct queue_dirs *dirs,
                         const struct deliver_request *request, struct err *err);
/* The same, and the content of a small message in ARENA; the content of a large one has
 * a NULL pointer and must be read from the file. */
int deliver_load_message(const struct queue_dirs *dirs,
                         const struct deliver_request *request, struct arena *arena,
                         struct view *content_out, struct err *err);
/* What was sent is recorded in the queue file (FD), so that it is not sent again; or,
 * if nothing else is left to do and the request allows it, the file is removed
 * (REPLY->removed). */
void deliver_conclude(const struct queue_dirs *dirs,
                      const struct deliver_request *request, int fd,
                      struct deliver_reply *reply);
/* Defer every recipient because deliver_open_message() failed with ERR.  Fills REPLY,
 * whose strings live in ARENA, and writes the log lines. */
void deliver_refuse(const struct conf *conf, const struct deliver_request *request,
                    const char *relay, const struct err *err, struct arena *arena,
                    struct deliver_reply *reply);

/* Finish OUTCOME of recipient INDEX and write its log line: soft_bounce turns a bounce
 * into a deferral, a verification request is logged as (un)deliverable.  RELAY is
 * "local", "none", "host[addr]:port" and goes into the outcome; what is new there lives
 * in ARENA. */
void deliver_report(const struct conf *conf, const struct deliver_request *request,
                    size_t index, const char *relay, const struct delivery_times *times,
                    struct arena *arena, struct deliver_outcome *outcome);

/* Length of the RFC 3463 code ("5.1.6", class 2, 4 or 5) that TEXT starts with, up to
 * white space or the end; 0: none. */
size_t deliver_dsn_length(struct view text);
/* Split "5.1.6 user has moved" into code and text; without a code *DSN_OUT is
 * DEFAULT_DSN. */
void deliver_split_dsn(struct view text, const char *default_dsn, struct view *dsn_out,
                       struct view *text_out);

#endif
