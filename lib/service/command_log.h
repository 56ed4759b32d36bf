/* SPDX-License-Identifier: MIT */
/*
 * Log lines on their way to postlogd: one datagram "TAG[NUMBER]: TEXT" each.  Who
 * may send is decided by the rights on the directory of the socket.
 */
#ifndef SERVICE_COMMAND_LOG_H
#define SERVICE_COMMAND_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

enum { LOG_PACKET_MAX = 4096 };

struct log_packet {
    struct view tag;
    uint64_t number;
    struct view text;
};

/* Take a datagram apart; false when it is not one of ours. */
bool log_packet_parse(struct view packet, struct log_packet *out);
/* Send every further log line of this process, tagged TAG, to the socket PATH too. */
bool log_to_socket(const char *path, const char *tag);

#endif
