/* SPDX-License-Identifier: MIT */
/*
 * A new table file that takes the place of an old one.  The content is made in a
 * temporary file beside the old one, synced, and renamed, so that readers see the old
 * file or the new one and nothing between.  Only when the directory does not let us,
 * but the old file does, that one is overwritten.
 *
 * Who replaces one file at the same time waits for the other, Postfix's programs
 * included: they use the same flock(2).
 */
#ifndef MAP_REPLACEMENT_H
#define MAP_REPLACEMENT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

struct replacement {
    char *path;      /* "FILE.db" */
    char *target;    /* the file itself, if PATH is a link to it */
    char *temporary; /* the new content; NULL: none, or in place already */
    int old_fd;      /* of PATH, locked; -1: there is none */
    struct stat old;
    bool in_place; /* TEMPORARY is elsewhere: it is copied over the old file */
};

struct replacement_options {
    bool keep_content; /* the new file begins as a copy of the old one */
    bool must_exist;   /* no old file is an error */
    mode_t mode;       /* of a file that is new; an old one's mode and owner stay */
};

/* PATH becomes SELF's own; there is an empty or copied file at SELF->temporary then.
 * Waits for another writer to finish.  0 or an errno; replacement_abort() either way.
 */
int replacement_begin(struct replacement *self, char *path,
                      const struct replacement_options *options);
/* The temporary file is complete and closed: put it in place.  0 or an errno. */
int replacement_commit(struct replacement *self);
/* Free SELF; without a commit the old file stays as it is. */
void replacement_abort(struct replacement *self);

#endif
