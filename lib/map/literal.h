/* SPDX-License-Identifier: MIT */
/*
 * What a regular expression cannot match without: "user[0-9]*@example\.com" needs
 * "user" and "@example.com".  Found by reading the expression's text with great
 * caution: at anything unusual nothing is known about it.
 */
#ifndef MAP_LITERAL_H
#define MAP_LITERAL_H

#include <stddef.h>

#include "base/arena.h"
#include "base/view.h"

enum literal_syntax {
    LITERAL_NONE,  /* an expression whose text is not to be read: nothing is known */
    LITERAL_POSIX, /* extended, of the C library */
    LITERAL_PCRE
};

/* A subject that matches contains at least one of TEXTS, ASCII letters in any case. The
 * texts themselves are in lower case, and not shorter than LITERAL_MIN. */
struct literal_set {
    struct literal_set *next;
    struct view *texts;
    size_t count;
    size_t shortest; /* length */
};

enum { LITERAL_MIN = 2 };

/* All sets that are known, each of which must be met; NULL: none.  They live in ARENA.
 */
struct literal_set *literal_sets(struct arena *arena, const char *expression,
                                 enum literal_syntax syntax);

#endif
