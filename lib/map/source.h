/* SPDX-License-Identifier: MIT */
/*
 * The text form that table sources share.  Blank lines and lines whose first
 * character is '#' are left out; a line that starts with white space continues the line
 * before it, also across such lines.
 */
#ifndef MAP_SOURCE_H
#define MAP_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "base/view.h"

struct source {
    char *title;   /* for messages */
    FILE *file;    /* or NULL: the items of INLINE_TEXT */
    bool borrowed; /* FILE is not ours to close */
    char *inline_copy;
    struct view inline_rest;
    char *ahead; /* physical line that was read too early */
    size_t ahead_capacity;
    size_t ahead_len;
    bool has_ahead;
    int line_number;   /* of the physical line read last */
    uint64_t position; /* behind it */
    struct str line;
};

/* A file; ERR: "open FILE: reason". */
NODISCARD enum outcome source_open(struct source *source, const char *path,
                                   struct err *err);
/* Standard input or the like; TITLE for messages. */
void source_open_stream(struct source *source, FILE *file, const char *title);
/* "{{line} {line}}", which pattern tables accept instead of a file name. */
NODISCARD enum outcome source_open_inline(struct source *source, const char *text,
                                          struct err *err);
/* The next logical line without outer white space, and the number of its first
 * physical line (1..).  Valid until the next call.  False at the end or when the rest
 * cannot be read: ask source_failed(). */
bool source_next(struct source *source, struct view *line_out, int *number_out);
bool source_failed(const struct source *source);
/* Bytes of the file that were read so far. */
uint64_t source_position(const struct source *source);
/* Owner of the file; 0 for inline text. */
uid_t source_owner(const struct source *source);
void source_done(struct source *source);

/* Split a line of a map file into key and value: white space outside double quotes
 * separates them.  Logs Postfix's warning, with TAIL behind it, and returns false when
 * it is not such a line. */
bool source_split_entry(const struct source *source, int number, struct view line,
                        const char *tail, struct view *key_out, struct view *value_out);

#endif
