/* SPDX-License-Identifier: MIT */
/* master.cf: one struct per service line (master(5)). */
#ifndef CONF_MASTER_CF_H
#define CONF_MASTER_CF_H

#include <stdbool.h>

#include "base/err.h"
#include "base/view.h"

enum service_type {
    SERVICE_INET,
    SERVICE_UNIX,
    SERVICE_FIFO,
    SERVICE_PASS,
    SERVICE_UNIX_DGRAM
};

struct master_option { /* -o name=value, value not expanded */
    char *name, *value;
};

struct master_entry {
    char *name; /* first field: "smtp", "127.0.0.1:25", "pickup" */
    enum service_type type;
    bool private_socket; /* third field, default y */
    bool unprivileged;   /* fourth, default y */
    bool chroot;         /* fifth, default n */
    int wakeup;          /* sixth, seconds; 0: none */
    bool wakeup_if_used; /* "1000?" */
    int max_processes;   /* seventh; -1: default_process_limit; 0: no limit */
    char *program;       /* eighth: file name in daemon_directory */
    char **arguments;    /* what follows, -o options removed; NULL-terminated */
    struct master_option *options;
    int option_count;
    int line; /* of the file, for messages */
};

struct master_cf {
    struct master_entry *entries;
    int count;
    int error_line; /* where parsing failed, for messages that do not say */
    const char
        *allowed; /* what may stand in the field that failed; NULL: no field did */
};

/* OUT is to be given to master_cf_done() in any case.  Errors read as Postfix writes
 * them: "file F: line N: bad field count". */
NODISCARD enum outcome master_cf_parse(struct view text, const char *file,
                                       struct master_cf *out, struct err *err);
NODISCARD enum outcome master_cf_read(const char *config_directory,
                                      struct master_cf *out, struct err *err);
/* Add ENTRY, one line of such a file, unless CF has a service of that name and type. */
NODISCARD enum outcome master_cf_add_missing(struct master_cf *cf, struct view entry,
                                             struct err *err);
void master_cf_done(struct master_cf *cf);
const char *service_type_name(enum service_type type);

#endif
