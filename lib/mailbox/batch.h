/* SPDX-License-Identifier: MIT */
/*
 * Requests that came together: the queue manager sends what would have had to wait.
 * Maildir files of all of them are written first and then synced together, because a
 * file system makes one commit for many; each message is concluded and answered as if
 * it had come alone, and in order.
 *
 * Nobody waits for somebody else's command or lock: before anything that may take its
 * time, what has been written so far is concluded.
 */
#ifndef MAILBOX_BATCH_H
#define MAILBOX_BATCH_H

#include "mail/queue_dir.h"
#include "mailbox/maildir.h"
#include "net/stream.h"

/* One request while it is being served. */
struct batch_item {
    struct deliver_request request;
    struct deliver_reply reply;
    struct arena *arena; /* until the batch is answered */
    int fd;              /* queue file; -1: refused */
    struct view content; /* of a small message; of others, PTR is NULL */
    dev_t device;        /* of the queue file */
    int64_t handed;      /* when the request came */
    void *state;         /* the agent's own */
};

struct batch;

/* A delivery agent; one in a process. */
struct batch_agent {
    const struct conf *conf;
    const struct queue_dirs *dirs;
    const char *relay; /* for the log: "local" */
    struct maildirs *maildirs;
    void *context;
    /* Look at the message of ITEM, before any of the batch is delivered; may be NULL.
     */
    void (*prepare)(void *context, struct batch_item *item);
    /* Deliver to all its recipients. */
    void (*deliver)(void *context, struct batch_item *item);
    /* All has been tried, and what was written is synced: fill reply.outcomes, which
     * are there, one for each recipient, and leaves.  May be NULL, if .deliver sees to
     * that. */
    void (*conclude)(void *context, struct batch_item *item);
    struct batch *batch; /* being delivered */
    bool slow;           /* the present request has waited for something */
};

/* One request; REPLY's strings live in ARENA. */
void batch_deliver(struct batch_agent *agent, const struct deliver_request *request,
                   struct arena *arena, struct deliver_reply *reply);
/* The requests that CLIENT has sent at once, at least one of them, and their replies.
 * False: it has left, or broke the protocol. */
bool batch_serve(struct batch_agent *agent, struct stream *client);
/* In .deliver: something that may take its time begins; others shall not wait for it.
 */
void batch_before_slow(struct batch_agent *agent);
/* ITEM's message for recipient INDEX of its request. */
struct letter batch_letter(const struct batch_item *item, size_t index);

#endif
