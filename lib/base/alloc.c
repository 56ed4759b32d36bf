/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static void *must(void *block)
{
    if (block == NULL) {
        log_fatal("out of memory");
    }
    return block;
}

void *xmalloc(size_t size)
{
    return must(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return must(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *xrealloc(void *block, size_t size)
{
    return must(realloc(block, size > 0 ? size : 1));
}

void *xreallocarray(void *block, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        log_fatal("out of memory: array of %zu elements of %zu bytes", count, size);
    }
    return xrealloc(block, total);
}

char *xstrdup(const char *s)
{
    return must(strdup(s));
}

char *xviewdup(struct view v)
{
    char *copy = xmalloc(v.len + 1);
    if (v.len > 0) {
        memcpy(copy, v.ptr, v.len);
    }
    copy[v.len] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    return must(len < 0 ? NULL : text);
}
