/* SPDX-License-Identifier: MIT */
#ifndef VIRTUAL_DELIVER_H
#define VIRTUAL_DELIVER_H

#include "virtual/agent.h"

/* Deliver ITEM to its recipients; CONTEXT is the struct virtual.  Outcomes are filled
 * when the Maildir files are finished. */
void virtual_deliver(void *context, struct batch_item *item);

#endif
