/* SPDX-License-Identifier: MIT */
/* A c-ares channel: a set of servers, its sockets, and the questions under way. */
#ifndef NET_DNS_CHANNEL_H
#define NET_DNS_CHANNEL_H

#include <ares.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "task/task.h"

struct dns_settings {
    char *servers;     /* NULL: those of resolv.conf */
    char *resolv_conf; /* NULL: the system's */
    int64_t patience;  /* microseconds */
    unsigned rounds;
};

struct dns_channel {
    struct list node; /* for the owner */
    ares_channel ares;
    struct list sockets;
    struct task_timer timer;
    bool timer_ready;
    size_t pending; /* questions under way, counted by the owner */
};

/* NULL, with a warning in the log, when the settings cannot be used. */
struct dns_channel *dns_channel_new(const struct dns_settings *settings);
/* Ends the questions under way with ARES_EDESTRUCTION. */
void dns_channel_free(struct dns_channel **channel);
/* After a question was put inside a fiber: have the loop watch what c-ares waits for.
 */
void dns_channel_follow(struct dns_channel *channel);
/* Outside fibers: block until something happens, and process it. */
void dns_channel_poll(struct dns_channel *channel);

#endif
