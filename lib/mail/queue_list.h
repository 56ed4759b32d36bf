/* SPDX-License-Identifier: MIT */
/*
 * What mailq shows: every message of every queue with its recipients that are not done,
 * a few hundred files in memory at a time.  Messages that are being written, move or
 * are damaged are left out.
 */
#ifndef MAIL_QUEUE_LIST_H
#define MAIL_QUEUE_LIST_H

#include "base/arena.h"
#include "base/view.h"
#include "mail/queue_dir.h"

struct queue_list_recipient {
    struct view address; /* external form */
    struct view reason;  /* why it is deferred; empty: not tried, or not known */
};

struct queue_list_entry {
    struct view queue_name, queue_id;
    int64_t arrival_time; /* microseconds since 1970 */
    int64_t size;         /* content bytes */
    bool forced_expire;
    struct view sender; /* external form, empty for the null sender */
    struct queue_list_recipient *recipients;
    size_t recipient_count;
};

struct queue_list;
struct queue_list *queue_list_open(const struct queue_dirs *dirs);
/* The next message; the entry lives in ARENA and until the next call.  False at the end
 * and for a cancelled fiber.  Waits; only ever one fiber may ask. */
bool queue_list_next(struct queue_list *list, struct arena *arena,
                     struct queue_list_entry *entry_out);
void queue_list_close(struct queue_list **list);

#endif
