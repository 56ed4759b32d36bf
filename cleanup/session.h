/* SPDX-License-Identifier: MIT */
/* One connection to cleanup. */
#ifndef CLEANUP_SESSION_H
#define CLEANUP_SESSION_H

#include "cleanup/cleanup.h"

/* Serve messages until the client leaves, or *STOPPING between two messages.  Waits. */
void session_serve(struct settings *settings, struct stream *client,
                   const bool *stopping);

#endif
