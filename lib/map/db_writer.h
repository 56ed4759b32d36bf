/* SPDX-License-Identifier: MIT */
/*
 * Berkeley DB files: FILE.db beside the source FILE, hash or btree, readable by
 * Postfix and written by it.
 */
#ifndef MAP_DB_WRITER_H
#define MAP_DB_WRITER_H

#include "map/writer.h"

struct map_writer *db_writer_new_hash(void);
struct map_writer *db_writer_new_btree(void);

#endif
