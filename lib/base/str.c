/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"

enum { FIRST_CAPACITY = 64 };

void str_init(struct str *s, size_t max)
{
    *s = (struct str){.max = max};
}

void str_done(struct str *s)
{
    free(s->ptr);
    *s = (struct str){.max = s->max};
}

void str_clear(struct str *s)
{
    s->len = 0;
    s->overflow = false;
    if (s->ptr != NULL) {
        s->ptr[0] = '\0';
    }
}

const char *str_ptr(const struct str *s)
{
    return s->ptr != NULL ? s->ptr : "";
}

struct view str_view(const struct str *s)
{
    return view_of(str_ptr(s), s->len);
}

bool str_ok(const struct str *s)
{
    return !s->overflow;
}

char *str_reserve(struct str *s, size_t more)
{
    size_t max = s->max != 0 ? s->max : STR_MAX_DEFAULT;
    if (s->overflow || more > max || s->len > max - more) {
        s->overflow = true;
        return NULL;
    }
    CHECK(max < SIZE_MAX / 4); /* doubling must end */
    size_t need = s->len + more + 1;
    if (need > s->capacity) {
        size_t capacity = s->capacity > 0 ? s->capacity : FIRST_CAPACITY;
        while (capacity < need) {
            capacity *= 2;
        }
        s->ptr = xrealloc(s->ptr, capacity);
        s->ptr[s->len] = '\0'; /* the string is one even if nothing is committed */
        s->capacity = capacity;
    }
    return s->ptr + s->len;
}

void str_commit(struct str *s, size_t more)
{
    CHECK(s->capacity - s->len > more);
    s->len += more;
    s->ptr[s->len] = '\0';
}

/* Does V lie in the memory of S, which may move? */
static bool is_inside(const struct str *s, struct view v)
{
    return s->ptr != NULL && v.len > 0 && v.ptr >= s->ptr &&
           v.ptr < s->ptr + s->capacity;
}

void str_add(struct str *s, struct view v)
{
    bool inside = is_inside(s, v);
    size_t offset = inside ? (size_t)(v.ptr - s->ptr) : 0;
    char *room = str_reserve(s, v.len);
    if (room != NULL) {
        if (v.len > 0) {
            memcpy(room, inside ? s->ptr + offset : v.ptr, v.len);
        }
        str_commit(s, v.len);
    }
}

void str_add_cstr(struct str *s, const char *text)
{
    str_add(s, view_cstr(text));
}

void str_add_byte(struct str *s, char byte)
{
    str_add(s, view_of(&byte, 1));
}

void str_add_lower(struct str *s, struct view v)
{
    CHECK(!is_inside(s, v));
    char *room = str_reserve(s, v.len);
    if (room != NULL) {
        for (size_t i = 0; i < v.len; i++) {
            room[i] = ascii_lower(v.ptr[i]);
        }
        str_commit(s, v.len);
    }
}

/* Most texts fit into the memory that is there: then one pass is enough. */
void str_vprintf(struct str *s, const char *format, va_list args)
{
    int saved_errno = errno;
    va_list again;
    if (str_reserve(s, 0) == NULL) {
        return;
    }
    va_copy(again, args);
    size_t room = s->capacity - s->len;
    int len = vsnprintf(s->ptr + s->len, room, format, args);
    CHECK(len >= 0);
    const char first = s->ptr[s->len];
    s->ptr[s->len] = '\0'; /* a string again, should there be no room for more */
    if (str_reserve(s, (size_t)len) != NULL) {
        errno = saved_errno; /* "%m" must print the same again */
        if ((size_t)len >= room) {
            (void)vsnprintf(s->ptr + s->len, (size_t)len + 1, format, again);
        } else if (len > 0) {
            s->ptr[s->len] = first;
        }
        str_commit(s, (size_t)len);
    }
    va_end(again);
    errno = saved_errno;
}

void str_printf(struct str *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str_vprintf(s, format, args);
    va_end(args);
}

void str_set(struct str *s, struct view v)
{
    CHECK(!is_inside(s, v));
    str_clear(s);
    str_add(s, v);
}

void str_set_cstr(struct str *s, const char *text)
{
    str_set(s, view_cstr(text));
}

void str_truncate(struct str *s, size_t len)
{
    CHECK(len <= s->len);
    s->len = len;
    if (s->ptr != NULL) {
        s->ptr[len] = '\0';
    }
}

char *str_steal(struct str *s)
{
    char *memory = s->ptr != NULL ? s->ptr : xstrdup("");
    *s = (struct str){.max = s->max};
    return memory;
}
