/* SPDX-License-Identifier: MIT */
/*
 * The queue directories and what a queue ID is.  Paths are relative to
 * queue_directory, which is the working directory of every worker and tool.
 * deferred/, defer/ and bounce/ are hashed by the first digits of the ID as
 * hash_queue_names and hash_queue_depth say.
 *
 * "postsuper -r ALL" moves hash directories of other queues, with all they hold, into
 * maildrop/.  There a message may lie in a hash directory or not: whoever asks for it
 * by its ID need not know.
 */
#ifndef MAIL_QUEUE_DIR_H
#define MAIL_QUEUE_DIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
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

/* maildrop, incoming, active, deferred, hold: not logs, not corrupt. */
bool queue_holds_messages(const char *queue);

struct queue_dirs; /* the hashing rules */
struct queue_dirs *queue_dirs_new(const struct conf *conf);
void queue_dirs_free(struct queue_dirs **dirs);

/* Could TEXT be a queue ID (either form)?  The only names ever used as paths. */
bool queue_id_valid(struct view text);
/* Does TEXT look like one, whatever its length?  What fails here deserves a complaint;
 * what fails queue_id_valid() alone is simply not there. */
bool queue_id_plausible(struct view text);
/* Short: 5 hex digits of microseconds and the inode; long: as enable_long_queue_ids. */
void queue_id_make(bool long_form, int64_t wall_time, uint64_t inode,
                   char id[QUEUE_ID_MAX]);
/* The inode that ID names; false when it is of neither form. */
bool queue_id_inode(const char *id, uint64_t *inode_out);
bool queue_id_is_long(const char *id);
/* ID with its inode replaced; ID must be of one of the forms. */
void queue_id_with_inode(const char *id, uint64_t inode, char id_out[QUEUE_ID_MAX]);
/* What ID is hashed by: itself, or the microseconds of a long ID in hexadecimal. */
void queue_id_hash_text(const char *id, char text[QUEUE_ID_MAX]);

/* Levels of hash directories that QUEUE should have. */
int queue_hash_depth(const struct queue_dirs *dirs, const char *queue);
/* "deferred/6/6F5E0123"; ID must be valid. */
void queue_path(const struct queue_dirs *dirs, const char *queue, const char *id,
                struct str *path_out);
/* Is DIRECTORY where queue_path() puts ID? */
bool queue_path_is_in(const struct queue_dirs *dirs, const char *queue,
                      const char *directory, const char *id);
/* Create a new file in QUEUE (incoming or maildrop), named by its ID.  It is no message
 * before queue_writer_commit(); who gives up removes it with queue_remove().  -1 with
 * ERR. */
int queue_create(const struct queue_dirs *dirs, const char *queue, bool long_ids,
                 char id_out[QUEUE_ID_MAX], struct err *err);
/* A file without a name, which nobody sees and which ends with its descriptor, and the
 * ID that it will have.  It wants queue_dirs_use_unnamed(), called where /proc can be
 * seen.  -1: not possible here (use queue_create()). */
void queue_dirs_use_unnamed(struct queue_dirs *dirs);
int queue_create_unnamed(const struct queue_dirs *dirs, const char *queue,
                         bool long_ids, char id_out[QUEUE_ID_MAX]);
/* QUEUE/ID becomes the name of such a file.  False with errno. */
NODISCARD bool queue_give_name(const struct queue_dirs *dirs, int fd, const char *queue,
                               const char *id);
/* -1 with errno.  FLAGS may hold O_CREAT (logs); hash directories are not made. */
int queue_open(const struct queue_dirs *dirs, const char *queue, const char *id,
               int flags);
/* The same; *PATH_OUT is where the file lies. */
int queue_open_where(const struct queue_dirs *dirs, const char *queue, const char *id,
                     int flags, struct str *path_out);
/* The same for a path (of a walk, for example).  Plain system calls: a pool thread may
 * do it. */
int queue_open_path(const char *path, int flags);
/* rename(2) between queues; makes hash directories as needed; never replaces a file
 * (EEXIST). */
NODISCARD bool queue_move(const struct queue_dirs *dirs, const char *from,
                          const char *to, const char *id);
NODISCARD bool queue_remove(const struct queue_dirs *dirs, const char *queue,
                            const char *id);
/* The same for a path FROM that is not where it should be; TO, from queue_path(), is in
 * QUEUE. */
NODISCARD bool queue_rename(const char *queue, const char *from, const struct str *to);
/* Make the hash directories for ID; false with errno. */
bool queue_make_parents(const struct queue_dirs *dirs, const char *queue,
                        const char *id);
/* Find ID in QUEUES (NULL-terminated); returns the queue's name or NULL. */
const char *queue_find(const struct queue_dirs *dirs, const char *const *queues,
                       const char *id);

/* Walk a queue through its hash directories.  Names that are not queue IDs are skipped,
 * and those that begin with a dot always.  Symbolic links are not followed; what lies
 * in directories of maildrop/ counts only if the directory is ours. */
struct queue_scan;
struct queue_scan *queue_scan_open(const struct queue_dirs *dirs, const char *queue);
bool queue_scan_next(struct queue_scan *scan, char id_out[QUEUE_ID_MAX]);
/* Every name but hash directories, valid or not; strings hold until the next call. */
struct queue_entry {
    const char *directory; /* "deferred/6" */
    const char *name;
    uint64_t inode;
};
bool queue_scan_next_entry(struct queue_scan *scan, struct queue_entry *entry_out);
void queue_scan_close(struct queue_scan **scan);

#endif
