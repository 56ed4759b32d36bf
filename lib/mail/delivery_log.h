/* SPDX-License-Identifier: MIT */
/*
 * Why recipients of a message were deferred or bounced: defer/ID, bounce/ID and
 * trace/ID.  The queue manager appends, bounce and showq read.  One record per
 * recipient; a later record for the same recipient replaces the earlier one.
 * An incomplete last record (crash) is ignored.
 */
#ifndef MAIL_DELIVERY_LOG_H
#define MAIL_DELIVERY_LOG_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "mail/queue_dir.h"

struct delivery_record {
    struct view recipient, original, dsn_orcpt;
    uint8_t dsn_notify;
    int64_t state_offset; /* identifies the recipient in the queue file */
    struct view dsn;      /* "4.4.1" */
    struct view
        action; /* "failed", "delayed", "delivered", "relayed", "expanded", "expired" */
    struct view reason;          /* text for people and for Diagnostic-Code */
    struct view mta;             /* remote host for Remote-MTA; empty: none */
    struct view diagnostic_type; /* "smtp" or "X-Postfix" */
    struct view diagnostic;      /* what the peer said; empty: reason */
};

NODISCARD enum outcome delivery_log_append(const struct queue_dirs *dirs,
                                           const char *log, const char *id,
                                           const struct delivery_record *records,
                                           size_t count, struct err *err);
/* Records in ARENA, in the order they were first recorded; a missing file gives none.
 */
NODISCARD enum outcome delivery_log_read(const struct queue_dirs *dirs, const char *log,
                                         const char *id, struct arena *arena,
                                         struct delivery_record **records_out,
                                         size_t *count_out, struct err *err);
/* The same for the bytes of a log, which must live as long as ARENA. */
void delivery_log_parse(struct view bytes, struct arena *arena,
                        struct delivery_record **records_out, size_t *count_out);
bool delivery_log_remove(const struct queue_dirs *dirs, const char *log,
                         const char *id);

#endif
