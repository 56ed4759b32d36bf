/* SPDX-License-Identifier: MIT */
#ifndef POSTSUPER_POSTSUPER_H
#define POSTSUPER_POSTSUPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/queue_dir.h"

/* What can be done to a message, in the order in which the summary tells it. */
enum action {
    ACTION_REQUEUE, /* -r */
    ACTION_DELETE,  /* -d */
    ACTION_EXPIRE,  /* -e */
    ACTION_HOLD,    /* -h */
    ACTION_RELEASE, /* -H */
    ACTION_COUNT
};

struct order { /* one -d, -e, -f, -h, -H or -r */
    char option;
    const char *id; /* queue ID, "-" or "ALL" */
};

enum { QUEUES_MAX = 16 };

struct postsuper {
    struct queue_dirs *dirs;
    const char *queues[QUEUES_MAX]; /* to work on, NULL-terminated */
    bool wanted[ACTION_COUNT];      /* asked for: summarised */
    size_t done[ACTION_COUNT];
    size_t renamed; /* to match the inode */
};

bool postsuper_has_queue(const struct postsuper *postsuper, const char *queue);

/* message.c: one message by its ID; says what was done. */
void message_handle(struct postsuper *postsuper, char option, const char *id);
/* Act on QUEUE/ID; false: not there (any more), or nothing to do. */
bool message_act(struct postsuper *postsuper, enum action action, const char *queue,
                 const char *id);
/* Can ACTION be done to a message in QUEUE? */
bool message_applies(enum action action, const char *queue);
void message_remove_logs(const struct postsuper *postsuper, const char *id);

/* bulk.c: every message of the queues. */
void bulk_handle(struct postsuper *postsuper, const bool actions[ACTION_COUNT]);

/* directory.c: hash directories of QUEUE with all the messages they hold.  Those that
 * cannot be handled so are left to a walk through the queue. */
/* Out of the queue with them; returns the number of messages.  LOGS_TOO: remove the
 * logs of each message.  What is not a message stays; of a log directory all goes. */
size_t directories_delete(const struct postsuper *postsuper, const char *queue,
                          bool logs_too);
/* To maildrop/; returns the number of messages. */
size_t directories_requeue(const struct postsuper *postsuper, const char *queue);
/* Remove the files of deleted directories: those that are left after PATIENCE in a
 * process of their own. */
void directories_remove_deleted(const char *const *queues, int64_t patience);

/* structure.c */
struct structure_options {
    bool purge;      /* -p: remove old temporary files */
    bool names;      /* -s: put files where they belong, names that match the inode */
    bool long_names; /* -S: the inode of long IDs, too */
};
void structure_check(struct postsuper *postsuper,
                     const struct structure_options *options);

#endif
