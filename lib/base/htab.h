/* SPDX-License-Identifier: MIT */
/*
 * Hash table from byte strings to pointers.  Keys are copied; values belong to
 * the caller.  The hash is keyed per process, so that nobody outside can make
 * keys collide.
 */
#ifndef BASE_HTAB_H
#define BASE_HTAB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

struct htab;

struct htab *htab_new(void);
/* Frees table and keys; FREE_VALUE may be NULL. */
void htab_free(struct htab **table, void (*free_value)(void *));
/* The value, or NULL when KEY is absent. */
void *htab_get(const struct htab *table, struct view key);
/* Store VALUE (not NULL); returns the value it replaced, or NULL. */
void *htab_put(struct htab *table, struct view key, void *value);
/* Remove KEY; returns its value, or NULL. */
void *htab_remove(struct htab *table, struct view key);
size_t htab_count(const struct htab *table);
/* Walk: start with *CURSOR = 0; false at the end.  Nothing may be added meanwhile; the
 * current key may be removed if *CURSOR is then moved back by one (an entry may be seen
 * twice or, at the table's wrap-around, missed until the next walk). */
bool htab_next(const struct htab *table, size_t *cursor, struct view *key_out,
               void **value_out);

#endif
