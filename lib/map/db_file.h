/* SPDX-License-Identifier: MIT */
/*
 * Berkeley DB files: FILE.db beside the source FILE, hash or btree, readable by
 * Postfix.  Keys and values carry their terminating NUL unless told otherwise.
 *
 * Writing does not touch the file that readers have open: the new content goes to a
 * temporary file beside it, is synced, and takes the old one's name.  Only when the
 * directory does not let us, but the old file does, that one is overwritten.
 */
#ifndef MAP_DB_FILE_H
#define MAP_DB_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/view.h"
#include "conf/conf.h"

enum db_kind { DB_KIND_HASH, DB_KIND_BTREE };
/* False when the type is not kept in such files. */
bool db_kind_find(struct view type, enum db_kind *kind_out);

struct db_writer;

struct db_writer_options {
    bool with_nul;         /* store the terminating NUL with keys and values */
    bool incremental;      /* start with the present content */
    bool must_exist;       /* together with incremental: do not start a new file */
    mode_t mode;           /* of a file that is new */
    uint64_t source_bytes; /* about how much follows; 0: a little */
};

/* PATH is the source's name, without ".db".  Waits for another writer to finish.
 * NULL: ERR says why. */
struct db_writer *db_writer_open(const struct conf *conf, enum db_kind kind,
                                 const char *path,
                                 const struct db_writer_options *options,
                                 struct err *err);
/* "FILE.db", for messages. */
const char *db_writer_path(const struct db_writer *writer);
enum db_put {
    DB_PUT_NEW = 0,
    DB_PUT_REPLACE = 1, /* what is there already */
    DB_PUT_BARE = 2     /* without NUL, whatever the options say */
};
/* HOW: DB_PUT_... combined.  *EXISTED_OUT: without DB_PUT_REPLACE an entry was there
 * and stays. */
NODISCARD enum outcome db_writer_put(struct db_writer *writer, unsigned how,
                                     struct view key, struct view value,
                                     bool *existed_out, struct err *err);
NODISCARD enum outcome db_writer_delete(struct db_writer *writer, struct view key,
                                        bool *existed_out, struct err *err);
/* Put the new file in place.  Frees the writer, whatever the outcome. */
NODISCARD enum outcome db_writer_commit(struct db_writer **writer, struct err *err);
/* Leave the old file as it is. */
void db_writer_abort(struct db_writer **writer);

#endif
