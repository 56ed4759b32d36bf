/* SPDX-License-Identifier: MIT */
/*
 * The queue directories and what a queue ID is.  Paths are relative to
 * queue_directory, which is the working directory of every worker and tool.
 * deferred/, defer/ and bounce/ are hashed by the first digits of the ID as
 * hash_queue_names and hash_queue_depth say.
 */
#ifndef MAIL_QUEUE_DIR_H
#define MAIL_QUEUE_DIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "base/view.h"
#include "conf/conf.h"

enum { QUEUE_ID_MAX = 32 };

#define QUEUE_MAILDROP "maildrop"
#define QUEUE_INCOMING "incoming"
#define QUEUE_ACTIVE "active"
#define QUEUE_DEFERRED "deferred"
#define QUEUE_HOLD "hold"
#define QUEUE_CORRUPT "corrupt"
#define QUEUE_SAVED "saved"
#define QUEUE_DEFER_LOG "defer"
#define QUEUE_BOUNCE_LOG "bounce"
#define QUEUE_TRACE_LOG "trace"

struct queue_dirs; /* the hashing rules */
struct queue_dirs *queue_dirs_new(const struct conf *conf);
void queue_dirs_free(struct queue_dirs **dirs);

/* Could TEXT be a queue ID (either form)?  The only names ever used as paths. */
bool queue_id_valid(struct view text);
/* Short: 5 hex digits of microseconds and the inode; long: as enable_long_queue_ids. */
void queue_id_make(bool long_form, int64_t wall_time, uint64_t inode, char id[QUEUE_ID_MAX]);

/* "deferred/6/6F5E0123"; ID must be valid. */
void queue_path(const struct queue_dirs *dirs, const char *queue, const char *id,
                struct str *path_out);
/* Create a new file in QUEUE (incoming or maildrop), named by its ID.  -1 with ERR. */
int queue_create(const struct queue_dirs *dirs, const char *queue, bool long_ids,
                 char id_out[QUEUE_ID_MAX], struct err *err);
/* -1 with errno. */
int queue_open(const struct queue_dirs *dirs, const char *queue, const char *id, int flags);
/* rename(2) between queues; makes hash directories as needed. */
NODISCARD bool queue_move(const struct queue_dirs *dirs, const char *from, const char *to,
                          const char *id);
NODISCARD bool queue_remove(const struct queue_dirs *dirs, const char *queue,
                            const char *id);
/* Find ID in QUEUES (NULL-terminated); returns the queue's name or NULL. */
const char *queue_find(const struct queue_dirs *dirs, const char *const *queues,
                       const char *id);

/* Walk a queue through its hash directories.  Names that are not queue IDs are skipped. */
struct queue_scan;
struct queue_scan *queue_scan_open(const struct queue_dirs *dirs, const char *queue);
bool queue_scan_next(struct queue_scan *scan, char id_out[QUEUE_ID_MAX]);
void queue_scan_close(struct queue_scan **scan);

#endif
