/* SPDX-License-Identifier: MIT */
/*
 * Logical lines of main.cf and master.cf: a line that starts with white space continues
 * the one before; empty lines and lines whose first visible byte is '#' are skipped,
 * also between a line and its continuation.
 */
#ifndef CONF_LOGICAL_LINE_H
#define CONF_LOGICAL_LINE_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

struct logical_line {
    struct view rest; /* what is left of the text; set by the caller, first of all */
    int next_line; /* number of the first physical line of REST, minus one; start with 0
                    */
    int line;      /* out: number of the physical line where the logical one starts */
    struct str text; /* out: the line with its continuations, line ends removed */
};

/* Read the next one; false at the end.  TEXT keeps leading white space when the file
 * starts with a continuation, which is the caller's to report. */
bool logical_line_next(struct logical_line *reader);
void logical_line_done(struct logical_line *reader);

/* For editors, which must keep what stands between: is this physical line part of no
 * logical line (empty or comment), or the continuation of one? */
bool physical_line_is_filler(struct view line);
bool physical_line_continues(struct view line);
/* Cut the next physical line, without its line end, off *REST. */
bool physical_line_next(struct view *rest, struct view *line_out);

#endif
