/* SPDX-License-Identifier: MIT */
/*
 * A growing byte string, always NUL-terminated, with a maximum length.  Going
 * over the maximum is sticky: the string stops growing and str_ok() says false.
 * A zeroed struct is an empty string with the default maximum (STR_MAX_DEFAULT).
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

enum { STR_MAX_DEFAULT = 64 * 1024 * 1024 };

struct str {
    char *ptr; /* NULL while empty and never written; use str_ptr() */
    size_t len;
    size_t capacity;
    size_t max; /* 0: STR_MAX_DEFAULT */
    bool overflow;
};

void str_init(struct str *s, size_t max);
void str_done(struct str *s);  /* frees; leaves an empty string that can be reused */
void str_clear(struct str *s); /* length 0, keeps the memory, forgets overflow */

/* The bytes as a C string, "" when empty.  Valid until the next change. */
const char *str_ptr(const struct str *s);
struct view str_view(const struct str *s);
bool str_ok(const struct str *s);

void str_add(struct str *s, struct view v); /* V may be part of S */
void str_add_cstr(struct str *s, const char *text);
void str_add_byte(struct str *s, char byte);
void str_add_lower(struct str *s, struct view v); /* ASCII lower-cased */
/* Arguments must not point into S.  errno is kept, so that "%m" may be used. */
void str_printf(struct str *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void str_vprintf(struct str *s, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Replace the whole content. */
void str_set(struct str *s, struct view v);
void str_set_cstr(struct str *s, const char *text);
/* Cut to LEN bytes; LEN must not exceed the present length. */
void str_truncate(struct str *s, size_t len);
/* Make room for MORE further bytes; returns where they go (see str_commit), or
 * NULL on overflow. */
char *str_reserve(struct str *s, size_t more);
/* Declare MORE bytes, written at the place str_reserve() gave, part of the string. */
void str_commit(struct str *s, size_t more);
/* Hand the memory to the caller (never NULL; caller frees); S becomes empty. */
char *str_steal(struct str *s);

/* `STR_AUTO struct str s = {0};` is freed at the end of its block. */
#define STR_AUTO __attribute__((cleanup(str_done)))

#endif
