/* SPDX-License-Identifier: MIT */
/*
 * A run of queue files, read together: names from a walk, then the bytes of each file
 * and of its defer log.  The reading is system calls on plain memory, so that it can
 * run on a pool thread while the loop's thread understands the run before.
 */
#ifndef MAIL_QUEUE_BATCH_H
#define MAIL_QUEUE_BATCH_H

#include "mail/queue_dir.h"
#include "mail/queue_file.h"

enum {
    QUEUE_BATCH_FILES = 64,
    QUEUE_BATCH_PATH_BYTES = 128,
    QUEUE_BATCH_LOG_BYTES = 1024 /* enough for a few recipients */
};

struct queue_batch_file {
    char id[QUEUE_ID_MAX];
    char path[QUEUE_BATCH_PATH_BYTES];
    char log_path[QUEUE_BATCH_PATH_BYTES]; /* of its defer log */
    bool found;                            /* else the file is gone */
    bool log_complete; /* LOG is all there is; else it must be read with more room */
    size_t log_len;    /* 0: there is none */
    struct queue_file_start start;
    char log[QUEUE_BATCH_LOG_BYTES];
};

struct queue_batch {
    const char *queue; /* the walk's */
    size_t count;
    struct queue_batch_file files[QUEUE_BATCH_FILES];
};

/* Take the next names of SCAN, which walks QUEUE.  False: there are none. */
bool queue_batch_fill(struct queue_batch *batch, struct queue_scan *scan,
                      const struct queue_dirs *dirs, const char *queue);
/* Read a struct queue_batch (for task_offload). */
void queue_batch_read(void *batch);

#endif
