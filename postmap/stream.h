/* SPDX-License-Identifier: MIT */
/*
 * Standard input as keys, standard output as answers.  Output is collected while there
 * is more input, and written before the program waits for some: who asks one question
 * at a time through a pipe gets its answer at once.
 */
#ifndef POSTMAP_STREAM_H
#define POSTMAP_STREAM_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

struct output {
    struct str text;
};
void output_add(struct output *output, struct view bytes);
/* Ends the program when it cannot be written. */
void output_flush(struct output *output);
void output_done(struct output *output); /* without writing */

struct key_reader {
    struct output *output; /* flushed before a wait; may be NULL */
    struct str buffer;
    size_t at; /* in BUFFER: behind the last key */
    bool ended;
};
/* A line without its LF, valid until the next call.  False at the end.  Ends the
 * program when input cannot be read. */
bool key_reader_next(struct key_reader *reader, struct view *key_out);
void key_reader_done(struct key_reader *reader);

#endif
