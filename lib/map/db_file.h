/* SPDX-License-Identifier: MIT */
/*
 * Berkeley DB files: FILE.db beside the source FILE, hash or btree, readable by
 * Postfix.  Keys and values carry their terminating NUL unless told otherwise.
 *
 * Writing never touches the file that readers have open: the new content goes to a
 * temporary file beside it, is synced, and takes the old one's name.
 */
#ifndef MAP_DB_FILE_H
#define MAP_DB_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/view.h"
#include "conf/conf.h"

enum db_kind { DB_KIND_HASH, DB_KIND_BTREE };
/* False when the type is not kept in such files. */
bool db_kind_find(struct view type, enum db_kind *kind_out);

struct db_writer;

struct db_writer_options {
    mode_t mode;         /* of a file that is new */
    bool key_nul;        /* store the terminating NUL with keys and values */
    bool incremental;    /* start with the present content */
    bool expected_large; /* a whole table follows: take memory for speed */
};

/* PATH is the source's name, without ".db".  Waits for another writer to finish.
 * NULL: ERR says why. */
struct db_writer *db_writer_open(const struct conf *conf, enum db_kind kind,
                                 const char *path,
                                 const struct db_writer_options *options,
                                 struct err *err);
/* How an entry that exists already is treated. */
enum db_put { DB_PUT_NEW, DB_PUT_REPLACE };
/* *EXISTS_OUT: DB_PUT_NEW found the key there and left it. */
NODISCARD enum outcome db_writer_put(struct db_writer *writer, enum db_put how,
                                     struct view key, struct view value,
                                     bool *exists_out, struct err *err);
NODISCARD enum outcome db_writer_delete(struct db_writer *writer, struct view key,
                                        bool *existed_out, struct err *err);
/* Put the new file in place.  Frees the writer, whatever the outcome. */
NODISCARD enum outcome db_writer_commit(struct db_writer **writer, struct err *err);
/* Leave the old file as it is. */
void db_writer_abort(struct db_writer **writer);

#endif
