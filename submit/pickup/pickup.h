/* SPDX-License-Identifier: MIT */
/*
 * What the parts of pickup share: main.c is the service, scan.c walks maildrop/,
 * resubmit.c hands one file to cleanup.
 */
#ifndef PICKUP_PICKUP_H
#define PICKUP_PICKUP_H

#include <sys/stat.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "mail/queue_dir.h"
#include "mail/queue_file.h"
#include "rpc/submit.h"

struct pickup {
    const struct conf *conf;
    struct queue_dirs *dirs;
    struct submit_client *cleanup;
    bool map_addresses; /* receive_override_options without no_address_mappings */
};

/* A file of maildrop/, read and found good. */
struct drop_file {
    char id[QUEUE_ID_MAX];
    struct str path; /* maildrop/ID, or below a directory that was requeued whole */
    int fd;
    struct stat st;
    bool requeued; /* put here by postsuper -r, not by postdrop */
    struct arena arena;
    struct queue_message message;
};

/* Hand FILE to cleanup.  Waits. */
void resubmit(const struct pickup *pickup, struct drop_file *file,
              struct submit_result *result_out);

/* Take everything out of maildrop/ that can be taken.  Waits. */
void scan_maildrop(const struct pickup *pickup);

#endif
