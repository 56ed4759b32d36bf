/* SPDX-License-Identifier: MIT */
#include "base/view.h"

#include "base/ascii.h"

bool view_equal(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool view_equal_nocase(struct view a, struct view b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool view_equal_cstr(struct view a, const char *s)
{
    return view_equal(a, view_cstr(s));
}

bool view_equal_nocase_cstr(struct view a, const char *s)
{
    return view_equal_nocase(a, view_cstr(s));
}

bool view_starts(struct view a, struct view prefix)
{
    return a.len >= prefix.len && view_equal(view_first(a, prefix.len), prefix);
}

bool view_starts_nocase(struct view a, struct view prefix)
{
    return a.len >= prefix.len && view_equal_nocase(view_first(a, prefix.len), prefix);
}

bool view_ends_nocase(struct view a, struct view suffix)
{
    return a.len >= suffix.len &&
           view_equal_nocase(view_from(a, a.len - suffix.len), suffix);
}

bool view_is_ascii(struct view v)
{
    size_t i = 0;
    while (i < v.len && (unsigned char)v.ptr[i] < 0x80) {
        i++;
    }
    return i == v.len;
}

struct view view_from(struct view v, size_t from)
{
    if (from > v.len) {
        from = v.len;
    }
    /* No arithmetic on the null pointer of an empty view. */
    return from > 0 ? view_of(v.ptr + from, v.len - from) : v;
}

struct view view_first(struct view v, size_t len)
{
    return view_of(v.ptr, len < v.len ? len : v.len);
}

struct view view_trim(struct view v)
{
    while (v.len > 0 && ascii_space(v.ptr[0])) {
        v.ptr++;
        v.len--;
    }
    while (v.len > 0 && ascii_space(v.ptr[v.len - 1])) {
        v.len--;
    }
    return v;
}

size_t view_index(struct view v, char byte)
{
    const char *hit = v.len > 0 ? memchr(v.ptr, byte, v.len) : NULL;
    return hit != NULL ? (size_t)(hit - v.ptr) : v.len;
}

size_t view_last_index(struct view v, char byte)
{
    const char *hit = v.len > 0 ? memrchr(v.ptr, byte, v.len) : NULL;
    return hit != NULL ? (size_t)(hit - v.ptr) : v.len;
}

static bool is_separator(char byte, const char *separators)
{
    return byte != '\0' && strchr(separators, byte) != NULL;
}

bool view_next_word(struct view *rest, const char *separators, struct view *word_out)
{
    size_t start = 0;
    while (start < rest->len && is_separator(rest->ptr[start], separators)) {
        start++;
    }
    *rest = view_from(*rest, start);
    size_t len = 0;
    while (len < rest->len && !is_separator(rest->ptr[len], separators)) {
        len++;
    }
    *word_out = view_first(*rest, len);
    *rest = view_from(*rest, len);
    return len > 0;
}
