/* SPDX-License-Identifier: MIT */
/* Where somebody else's service listens, as configurations have it, and connecting
 * there. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

struct dial_target {
    char *name; /* "127.0.0.1:10023", "private/policy": for messages */
    char *path; /* NULL: HOST and PORT */
    char *host;
    uint16_t port;
};

/* "unix:PATH", "inet:HOST:PORT", "inet:[ADDRESS]:PORT"; PORT may be a name of
 * /etc/services, which is read now.  OUT is to be given to dial_target_done() in any
 * case.  PERMFAIL: ERR says what is wrong. */
NODISCARD enum outcome dial_target_parse(struct view text, struct dial_target *out,
                                         struct err *err);
void dial_target_done(struct dial_target *target);
/* A connection, or -1: ERR's text is the reason alone.  All addresses of a host are
 * tried in turn.  Waits. */
int dial(const struct dial_target *target, int64_t deadline, struct err *err);

#endif
