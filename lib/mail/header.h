/* SPDX-License-Identifier: MIT */
/*
 * The header section of a message.  A header line is a name of printable characters,
 * ':' (white space may come before it), and a value; lines that begin with white space
 * continue it.  An empty line, or any line that is neither, ends the section.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

enum header_line {
    HEADER_START,        /* begins a header */
    HEADER_CONTINUATION, /* goes on with the one before */
    HEADER_END,          /* empty: the body begins after it */
    HEADER_BODY          /* none of these: the body begins with it */
};

/* What LINE, without its line end, is.  A first line that continues nothing is body;
 * the caller knows (IN_HEADER: a header came before). */
enum header_line header_classify(struct view line, bool in_header);
/* The name in front of ':', without white space, and what follows ':' unchanged. False:
 * not the first line of a header. */
bool header_split(struct view line, struct view *name_out, struct view *value_out);
/* "From " after any number of '>': what mailbox files put between messages, and no
 * header. */
bool header_is_mailbox_line(struct view line);

struct header {
    struct view name;  /* "Subject" */
    struct view value; /* after ':', inner line ends included, the last one not */
    struct view text;  /* the whole header with its last line end */
};
/* Cut the next header off *MESSAGE (lines end in LF or CRLF).  False: there is none;
 * *MESSAGE then starts with the empty line, or with the line that ended the section, or
 * is empty. */
bool header_next(struct view *message, struct header *header_out);
/* Skip the mailbox lines at the very start of MESSAGE. */
struct view header_skip_mailbox_lines(struct view message);
/* VALUE in one line: line ends go, the white space after them stays; none at either
 * end. */
void header_unfold(struct view value, struct str *out);
/* TEXT from outside for use inside a header of ours: every control character becomes
 * '?', so that it stays one header. */
void header_add_safe(struct str *out, struct view text);

#endif
