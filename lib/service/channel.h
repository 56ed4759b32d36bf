/* SPDX-License-Identifier: MIT */
/* A worker's end of the line to master (service/master_protocol.h). */
#ifndef SERVICE_CHANNEL_H
#define SERVICE_CHANNEL_H

#include <signal.h>
#include <stdbool.h>

#include "service/master_protocol.h"

struct channel {
    int fd;
    uint32_t generation;
    /* Written by channel_receive(), which may run in a signal handler. */
    volatile sig_atomic_t retire;
    volatile sig_atomic_t orphaned;
};

void channel_init(struct channel *channel, int fd, uint32_t generation);
/* Take all waiting orders: a new log descriptor is put in place of MASTER_LOG_FD.
 * Async-signal-safe. */
void channel_receive(struct channel *channel);
/* Tell master.  False: it could not be sent now (then it counts as not said). */
bool channel_report(const struct channel *channel, enum worker_state state,
                    unsigned clients, bool served);

#endif
