/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

enum { CHUNK_BYTES = 2048 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*run)(void *);
    void *context;
};

static struct arena_chunk *add_chunk(struct arena *arena, size_t least)
{
    size_t size = least > CHUNK_BYTES ? least : CHUNK_BYTES;
    CHECK(size <= SIZE_MAX - sizeof(struct arena_chunk));
    struct arena_chunk *chunk = xmalloc(sizeof(*chunk) + size);
    chunk->used = 0;
    chunk->size = size;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t unit = alignof(max_align_t);
    CHECK(size <= SIZE_MAX - unit);
    size = (size + unit - 1) / unit * unit;
    struct arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        chunk = add_chunk(arena, size);
    }
    void *block = chunk->data + chunk->used;
    chunk->used += size;
    return memset(block, 0, size);
}

struct view arena_view(struct arena *arena, struct view v)
{
    return view_of(arena_cstr(arena, v), v.len);
}

char *arena_cstr(struct arena *arena, struct view v)
{
    char *copy = arena_alloc(arena, v.len + 1);
    if (v.len > 0) {
        memcpy(copy, v.ptr, v.len);
    }
    return copy;
}

char *arena_strdup(struct arena *arena, const char *s)
{
    return arena_cstr(arena, view_cstr(s));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    int saved_errno = errno;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    errno = saved_errno; /* "%m" must print the same again */
    va_start(args, format);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void arena_on_clear(struct arena *arena, void (*cleanup)(void *), void *context)
{
    struct arena_cleanup *c = arena_alloc(arena, sizeof(*c));
    *c = (struct arena_cleanup){arena->cleanups, cleanup, context};
    arena->cleanups = c;
}

void arena_clear(struct arena *arena)
{
    while (arena->cleanups != NULL) { /* one may register another */
        struct arena_cleanup *c = arena->cleanups;
        arena->cleanups = c->next;
        c->run(c->context);
    }
    while (arena->chunks != NULL) {
        struct arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}
