/* SPDX-License-Identifier: MIT */
/*
 * A read-only window on bytes owned by somebody else.  May hold NUL bytes; is
 * not NUL-terminated.  Everything that is parsed is a view.
 */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct view {
    const char *ptr;
    size_t len;
};

/* A view of a string literal, usable in constant expressions. */
#define VIEW(literal) ((struct view){(literal), sizeof(literal) - 1})
/* Arguments for "%.*s"; what is too long for it is cut. */
#define VIEW_ARG(v) view_print_length(v), (v).ptr

static inline struct view view_of(const char *ptr, size_t len)
{
    return (struct view){ptr, len};
}

/* A view of a C string; NULL gives the empty view. */
static inline struct view view_cstr(const char *s)
{
    return (struct view){s != NULL ? s : "", s != NULL ? strlen(s) : 0};
}

/* Its length as printf's precision, which a negative number would switch off. */
static inline int view_print_length(struct view v)
{
    return v.len < INT_MAX ? (int)v.len : INT_MAX;
}

bool view_equal(struct view a, struct view b);
bool view_equal_nocase(struct view a, struct view b); /* ASCII case only */
bool view_equal_cstr(struct view a, const char *s);
bool view_equal_nocase_cstr(struct view a, const char *s);
bool view_starts(struct view a, struct view prefix);
bool view_starts_nocase(struct view a, struct view prefix);
bool view_ends_nocase(struct view a, struct view suffix);

/* No byte above 127. */
bool view_is_ascii(struct view v);

/* Bytes FROM.. up to the end; empty when FROM is past the end. */
struct view view_from(struct view v, size_t from);
/* At most LEN first bytes. */
struct view view_first(struct view v, size_t len);
/* Without leading and trailing ASCII white space. */
struct view view_trim(struct view v);
/* Index of BYTE, or v.len when there is none. */
size_t view_index(struct view v, char byte);
size_t view_last_index(struct view v, char byte);

/*
 * Cut the next word off *REST, words being separated by any byte of
 * SEPARATORS.  Returns false when there is none left.
 */
bool view_next_word(struct view *rest, const char *separators, struct view *word_out);

#endif
