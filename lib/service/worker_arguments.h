/* SPDX-License-Identifier: MIT */
/* The command line that master gives to a worker, which is the one Postfix shows in
 * ps(1). */
#ifndef SERVICE_WORKER_ARGUMENTS_H
#define SERVICE_WORKER_ARGUMENTS_H

#include <stdbool.h>

#include "conf/conf.h"

enum { WORKER_OVERRIDES_MAX = 200 };

struct worker_arguments {
    const char *name;                      /* -n, default: the program's name */
    const char *type;                      /* -t */
    bool chroot;                           /* -c */
    bool unprivileged;                     /* -u */
    bool one_client;                       /* -l: maxproc is 1 */
    bool no_limit;                         /* -z: maxproc is 0 */
    bool stand_alone;                      /* -S */
    int listeners;                         /* -s */
    int verbose;                           /* -v */
    char *overrides[WORKER_OVERRIDES_MAX]; /* -o name=value */
    int override_count;
    char **rest; /* what follows the options, NULL-terminated */
};

/* Parse or end with fatal; OUT points into ARGV. */
void worker_arguments_parse(const char *program, int argc, char **argv,
                            struct worker_arguments *out);
/* Put the -o settings on top of CONF, and the names that depend on the service. */
void worker_arguments_apply(const struct worker_arguments *arguments,
                            const char *program, struct conf *conf);

#endif
