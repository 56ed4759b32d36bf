/* SPDX-License-Identifier: MIT */
/* The keys that header_checks and body_checks tables are asked for. */
#ifndef POSTMAP_MESSAGE_H
#define POSTMAP_MESSAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/view.h"

struct message_reader {
    bool headers; /* wanted: headers, their lines joined by LF */
    bool body;    /* wanted: body lines, the empty one behind the headers too */
    bool mime;    /* headers of body parts and of attached messages are headers */
    void (*found)(void *context, struct view key);
    void *context;
};
void message_read(const struct message_reader *reader, FILE *file);

#endif
