/* SPDX-License-Identifier: MIT */
/*
 * What the parts of postdrop share: main.c is the command, drop.c takes one message
 * from a stream into maildrop/.
 */
#ifndef POSTDROP_POSTDROP_H
#define POSTDROP_POSTDROP_H

#include "conf/conf.h"
#include "mail/queue_dir.h"
#include "net/stream.h"

struct dropper {
    const struct conf *conf;
    struct queue_dirs *dirs;
    long uid; /* of the caller, for the log */
    /* Told the path of the file while it is incomplete, "" when it is no more; may be
     * NULL. */
    void (*incomplete)(const char *path);
    /* A message is complete: wake up pickup. */
    void (*dropped)(const struct dropper *dropper);
};

/* Take messages from CLIENT until it leaves.  False: it did not keep to the protocol.
 */
bool drop_serve(const struct dropper *dropper, struct stream *client);

#endif
