/* SPDX-License-Identifier: MIT */
#ifndef POSTCAT_POSTCAT_H
#define POSTCAT_POSTCAT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "mail/queue_file.h"

enum { SHOW_ENVELOPE = 1, SHOW_HEADER = 2, SHOW_BODY = 4 };
enum { SHOW_ALL = SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY };

struct postcat_options {
    unsigned show; /* SHOW_ bits */
    bool offsets;  /* -o: prefix the file offset */
    bool types;    /* -d: prefix the record type in decimal */
    bool names;    /* -v: content lines are named, too */
    int64_t start; /* -s: leave out what comes before this file offset */
};

/* Print the queue file FD, called NAME, on OUT. */
NODISCARD enum outcome postcat_print(int fd, const char *name,
                                     const struct postcat_options *options, FILE *out,
                                     struct err *err);

#endif
