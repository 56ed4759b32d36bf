/* SPDX-License-Identifier: MIT */
/*
 * Wake-ups: small one-way frames to a service in public/ or private/.  qmgr is
 * told the queue ID of new mail, so that no directory is scanned for it.
 */
#ifndef RPC_NOTIFY_H
#define RPC_NOTIFY_H

#include <stdbool.h>

#include "base/err.h"
#include "base/view.h"
#include "net/stream.h"

enum notify_frame {
    NOTIFY_WAKEUP = 'W',    /* timer of master.cf: look for work */
    NOTIFY_NEW = 'N',       /* queue ID in incoming/ */
    NOTIFY_MESSAGE = 'M',   /* the same, with all that is known (rpc/handover.h) */
    NOTIFY_FLUSH = 'F',     /* try all deferred mail now */
    NOTIFY_FLUSH_ID = 'I',  /* queue ID: try this one now */
    NOTIFY_FLUSH_SITE = 'S' /* domain (to the flush service) */
};

/* Connect to PATH ("public/qmgr"), send one frame, close.  TEXT may be empty.  Waits.
 */
NODISCARD enum outcome notify_send(const char *path, enum notify_frame kind,
                                   struct view text, struct err *err);

/* Receiver's side: the next frame; *TEXT_OUT is valid until the next read.  False: the
 * sender has left, or broke the protocol (then the stream is in error).  Waits. */
bool notify_receive(struct stream *sender, enum notify_frame *kind_out,
                    struct view *text_out);

/* A kept connection for who notifies often (cleanup -> qmgr).  Losing it is not an
 * error for mail: the queue manager finds what it was not told of by its scans. */
struct notify_channel;
struct notify_channel *notify_channel_new(const char *path);
void notify_channel_free(struct notify_channel **channel);
bool notify_channel_send(struct notify_channel *channel, enum notify_frame kind,
                         struct view text);

#endif
