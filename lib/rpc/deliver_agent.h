/* SPDX-License-Identifier: MIT */
/* What all delivery agents do alike: open the message, report each recipient. */
#ifndef RPC_DELIVER_AGENT_H
#define RPC_DELIVER_AGENT_H

#include "conf/conf.h"
#include "mail/delivery_status.h"
#include "mail/queue_dir.h"
#include "rpc/deliver.h"

/* The message's file, open for reading and for marking recipients, with a shared lock
 * that tells a restarted queue manager that somebody is at work.  -1 with ERR. */
int deliver_open_message(const struct queue_dirs *dirs,
                         const struct deliver_request *request, struct err *err);

/* Finish OUTCOME of recipient INDEX and write its log line: soft_bounce turns a bounce
 * into a deferral, a verification request is logged as (un)deliverable.  RELAY is
 * "local", "none", "host[addr]:port"; a changed code is put into ARENA. */
void deliver_report(const struct conf *conf, const struct deliver_request *request,
                    size_t index, const char *relay, const struct delivery_times *times,
                    struct arena *arena, struct deliver_outcome *outcome);

/* Split "5.1.6 user has moved" into code and text; without a code *DSN_OUT is
 * DEFAULT_DSN. */
void deliver_split_dsn(struct view text, const char *default_dsn, struct view *dsn_out,
                       struct view *text_out);

#endif
