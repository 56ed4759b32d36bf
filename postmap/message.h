/* SPDX-License-Identifier: MIT */
/* The keys that header_checks and body_checks tables are asked for. */
#ifndef POSTMAP_MESSAGE_H
#define POSTMAP_MESSAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/view.h"

/* Read the message in FILE; call FOUND with each header of the message (its lines
 * joined by LF) and with each line of its body, as wanted. */
void message_each_key(FILE *file, bool headers, bool body,
                      void (*found)(void *context, struct view key), void *context);

#endif
