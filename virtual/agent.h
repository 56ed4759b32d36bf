/* SPDX-License-Identifier: MIT */
/*
 * virtual(8): mailboxes whose names and owners come from tables.  Users need no
 * account here; there are no aliases, no .forward files and no commands.
 */
#ifndef VIRTUAL_AGENT_H
#define VIRTUAL_AGENT_H

#include "mailbox/batch.h"
#include "mailbox/mbox.h"
#include "map/map.h"
#include "service/service.h"

/* Opened once per process. */
struct virtual
{
    const struct conf *conf;
    struct service_context *service;
    struct queue_dirs *dirs;
    struct maps *mailboxes, *uids, *gids;
    const char *base;       /* virtual_mailbox_base */
    const char *delimiters; /* recipient_delimiter */
    int64_t size_limit;     /* 0: none */
    struct mbox_locks locks;
    struct rights rights;
    struct maildirs maildirs;
    struct batch_agent batch;
};

/* Tables and limits; while privileged. */
struct virtual *virtual_agent_open(struct service_context *context);
/* After the rights have been given up. */
void virtual_agent_ready(struct virtual *agent);
bool virtual_agent_outdated(const struct virtual *agent);
void virtual_agent_close(struct virtual **agent);

/* The mailbox of a user, and whose it is. */
struct mailbox {
    const char *path;
    bool is_maildir;
    struct identity owner;
};
/* mailbox.c: the mailbox of ADDRESS, which is folded; strings are in ARENA.  PERMFAIL:
 * there is none. */
NODISCARD enum outcome mailbox_find(struct virtual *agent, struct view address,
                                    struct arena *arena, struct mailbox *out,
                                    struct err *err);

#endif
