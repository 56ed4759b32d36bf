/* SPDX-License-Identifier: MIT */
/* Allocation that succeeds or ends the process (fatal: out of memory). */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

#include "base/view.h"

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *block, size_t size);
/* Array of COUNT elements; checks the product for overflow. */
void *xreallocarray(void *block, size_t count, size_t size);
char *xstrdup(const char *s);
/* NUL-terminated copy of a view; the caller frees it. */
char *xviewdup(struct view v);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
