/* SPDX-License-Identifier: MIT */
/*
 * Leaving Berkeley DB: with non_bdb_migration_level = enable-redirect, "hash:/file" and
 * "btree:/file" mean a table of another type; with enable-reindex that table is also
 * built from /file when it is not there or older.  So main.cf and programs that write
 * "hash:" need not change at once.
 */
#ifndef MAP_MIGRATION_H
#define MAP_MIGRATION_H

#include "base/view.h"
#include "conf/conf.h"

/* The type that tables of TYPE are of; TYPE itself unless it is redirected.  Belongs to
 * CONF. */
struct view migration_type(const struct conf *conf, struct view type);
/* A redirected table TYPE:PATH is going to be opened: say so, and build it if that is
 * wanted and we may.  Blocks while it is built. */
void migration_prepare(const struct conf *conf, struct view from, struct view type,
                       struct view path);

#endif
