/* SPDX-License-Identifier: MIT */
/*
 * Building and changing the file of an indexed table, whatever its type.  Readers go on
 * with the old file until the new one is complete (map/replacement.h).
 */
#ifndef MAP_WRITER_H
#define MAP_WRITER_H

#include <stdint.h>

#include "base/str.h"
#include "base/view.h"
#include "conf/conf.h"
#include "map/replacement.h"

struct map_writer;

enum map_writer_nul {
    MAP_NUL_DEFAULT, /* as is usual for the type */
    MAP_NUL_ADD,     /* store the terminating NUL with keys and values */
    MAP_NUL_NONE
};

struct map_writer_options {
    enum map_writer_nul nul;
    bool incremental;      /* start with the present content */
    bool must_exist;       /* together with incremental: do not start a new file */
    mode_t mode;           /* of a file that is new */
    uint64_t source_bytes; /* about how much follows; 0: a little */
};

/* Can tables of TYPE be built?  False: ERR says "unsupported dictionary type: ..." */
bool map_writer_supports(const struct conf *conf, struct view type, struct err *err);
/* PATH is the source's name.  Waits for another writer to finish.  NULL: ERR says why.
 */
struct map_writer *map_writer_open(const struct conf *conf, const char *type,
                                   const char *path,
                                   const struct map_writer_options *options,
                                   struct err *err);
/* What messages about entries call the table. */
const char *map_writer_name(const struct map_writer *writer);
/* Its file: "FILE.db". */
const char *map_writer_path(const struct map_writer *writer);
enum map_put {
    MAP_PUT_NEW = 0,
    MAP_PUT_REPLACE = 1, /* what is there already */
    MAP_PUT_BARE = 2     /* without NUL, whatever the options say */
};
/* HOW: MAP_PUT_... combined.  *EXISTED_OUT: without MAP_PUT_REPLACE an entry was there
 * and stays. */
NODISCARD enum outcome map_writer_put(struct map_writer *writer, unsigned how,
                                      struct view key, struct view value,
                                      bool *existed_out, struct err *err);
NODISCARD enum outcome map_writer_delete(struct map_writer *writer, struct view key,
                                         bool *existed_out, struct err *err);
/* Put the new file in place.  Frees the writer, whatever the outcome. */
NODISCARD enum outcome map_writer_commit(struct map_writer **writer, struct err *err);
/* Leave the old file as it is. */
void map_writer_abort(struct map_writer **writer);

/* --- for the types ----------------------------------------------------------- */

struct map_writer_spec {
    const struct conf *conf;
    const char *type;
    const char *path; /* without suffix */
    const struct map_writer_options *options;
};

/* What messages about entries call a table: "FILE.db", "lmdb:FILE", "FILE". */
enum map_writer_name { MAP_NAME_FILE, MAP_NAME_TITLE, MAP_NAME_SOURCE };

/* Keys and values come with their NUL where they are to have one.  Failures: false with
 * WRITER->reason set to the library's words. */
struct map_writer_type {
    const char *suffix;      /* ".db" */
    enum map_writer_nul nul; /* MAP_NUL_ADD or MAP_NUL_NONE: what is usual */
    enum map_writer_name name;
    /* Incremental: .open takes the entries from file.old_fd; otherwise the temporary
     * file is a copy of the old one. */
    bool copies_entries;
    /* file.temporary is there, empty or a copy. */
    bool (*open)(struct map_writer *writer, const struct map_writer_spec *spec);
    bool (*put)(struct map_writer *writer, bool replace, struct view key,
                struct view value, bool *existed_out);
    bool (*remove)(struct map_writer *writer, struct view key, bool *existed_out);
    /* Finish the temporary file and close it. */
    bool (*finish)(struct map_writer *writer);
    /* Free what the type holds, also after finish() and after a failed open(). */
    void (*done)(struct map_writer *writer);
};

/* A type embeds it as the first member of its own struct. */
struct map_writer {
    const struct map_writer_type *type;
    struct replacement file;
    char *name;
    bool with_nul;
    const char *reason;    /* why the last operation failed; belongs to the library */
    struct str key, value; /* scratch */
};

/* Gives the empty, zeroed struct of the type; what modules export as mkmap function. */
typedef struct map_writer *map_writer_new_function(void);

#endif
