/* SPDX-License-Identifier: MIT */
/*
 * Memory with one lifetime: a session's, a message's, a command's.  Blocks are
 * never freed alone; arena_clear() frees all and runs the registered clean-ups
 * in reverse order.  A zeroed struct is an empty arena.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/view.h"

struct arena_chunk;
struct arena_cleanup;

struct arena {
    struct arena_chunk *chunks;
    struct arena_cleanup *cleanups;
};

/* Zeroed memory, aligned for any object; never NULL. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
/* NUL-terminated copy of V. */
struct view arena_view(struct arena *arena, struct view v);
char *arena_cstr(struct arena *arena, struct view v);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_on_clear(struct arena *arena, void (*cleanup)(void *), void *context);
void arena_clear(struct arena *arena);

#endif
