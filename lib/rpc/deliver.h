/* SPDX-License-Identifier: MIT */
/*
 * The queue manager asks a delivery agent to deliver one message to some of its
 * recipients, all with the same next hop.  The agent opens the queue file by
 * queue name and ID in its working directory, marks each recipient it has
 * delivered (queue_file_mark_done) as soon as that is durable, writes the log
 * line, and answers with what became of every recipient.  The queue manager records
 * deferred and bounced ones in defer/ID and bounce/ID.
 */
#ifndef RPC_DELIVER_H
#define RPC_DELIVER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "mail/queue_dir.h"
#include "mail/queue_file.h"
#include "net/stream.h"

struct deliver_request {
    struct view queue_name, queue_id;
    struct view nexthop, sender;
    unsigned file_flags; /* enum queue_file_flags */
    uint8_t dsn_ret;
    struct view dsn_envid;
    int64_t content_offset, content_size;
    uint64_t content_sum;
    int64_t arrival_time, active_time; /* wall clock, microseconds */
    bool more_follows; /* other mail for this destination waits or is on its way */
    bool may_remove;   /* these are all that is left of the message: see
                          deliver_conclude() */
    struct queue_attribute *attributes; /* client_name, client_address, ... */
    size_t attribute_count;
    struct queue_recipient *recipients;
    size_t recipient_count;
};

enum deliver_status {
    DELIVER_SENT = 's',
    DELIVER_DEFERRED = 'd',
    DELIVER_BOUNCED = 'b'
};

struct deliver_outcome { /* one per recipient, in the order of the request */
    enum deliver_status status;
    struct view dsn; /* "2.0.0" */
    struct view
        action; /* for SENT with NOTIFY=SUCCESS: "delivered", "relayed", "expanded" */
    struct view reason;
    struct view mta; /* remote MTA name, or empty */
    struct view diagnostic_type, diagnostic;
    struct view relay; /* what the log line says; for reports of success */
};

/* An address that a recipient was expanded to (alias, .forward), and what became of it
 * there.  The outcome of the recipient is that of all of them together. */
struct deliver_leaf {
    size_t index; /* of the recipient in the request; never less than the leaf before */
    struct view address;
    struct deliver_outcome outcome;
};

/* What the answer says of the destination as a whole (scheduling feedback). */
enum deliver_site { DELIVER_SITE_OK = 0, DELIVER_SITE_DOWN = 1 };
struct deliver_reply {
    struct deliver_outcome *outcomes;
    size_t count;
    struct deliver_leaf
        *leaves; /* of recipients that were expanded; others have none */
    size_t leaf_count;
    bool damaged;   /* the content is not what its sum says: nothing was delivered */
    bool removed;   /* as the request allowed: all was sent, the queue file is gone */
    unsigned batch; /* requests that the agent likes to get at once; 0, 1: one */
    enum deliver_site site;
    struct view
        site_reason; /* SITE_DOWN: dsn and text that hold for all that wait for it */
    struct view site_dsn;
};

enum deliver_frame { DELIVER_FRAME_REQUEST = 'D', DELIVER_FRAME_REPLY = 'd' };

/* Queue manager's side.  Waits. */
bool deliver_send_request(struct stream *agent, const struct deliver_request *request);
/* The same without flushing, when another one follows. */
bool deliver_put_request(struct stream *agent, const struct deliver_request *request);
bool deliver_receive_reply(struct stream *agent, struct arena *arena,
                           struct deliver_reply *reply_out);
/* Agent's side.  Waits.  False: the queue manager went away. */
bool deliver_receive_request(struct stream *qmgr, struct arena *arena,
                             struct deliver_request *request_out);
bool deliver_send_reply(struct stream *qmgr, const struct deliver_reply *reply);
/* The same without flushing, when another one follows. */
bool deliver_put_reply(struct stream *qmgr, const struct deliver_reply *reply);
/* Value of an attribute of the request, or the empty view. */
struct view deliver_attribute(const struct deliver_request *request, const char *name);

#endif
