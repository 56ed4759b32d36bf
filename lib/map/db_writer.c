/* SPDX-License-Identifier: MIT */
/* Writing hash: and btree: files with Berkeley DB. */
#include <db.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/db_writer.h"

enum {
    SMALL_CACHE = 1024 * 1024,
    LARGE_CACHE = 128 * 1024 * 1024,
    ENTRY_BYTES = 40 /* of source text, to guess the number of entries */
};

struct db_writer {
    struct map_writer writer;
    DB *db;
};

static bool is_good(struct db_writer *self, int code)
{
    if (code != 0) {
        self->writer.reason = db_strerror(code);
    }
    return code == 0;
}

/* Memory in proportion to the work; the table's size from the start, which saves the
 * library from splitting its buckets again and again. */
static void tune(DB *db, const struct conf *conf, DBTYPE type, uint64_t source_bytes)
{
    uint64_t cache = SMALL_CACHE + 4 * source_bytes;
    uint64_t usual = (uint64_t)conf_int(conf, P_berkeley_db_create_buffer_size);
    uint64_t most = usual > LARGE_CACHE ? usual : LARGE_CACHE;
    cache = cache < most ? cache : most;
    (void)db->set_cachesize(db, 0, (u_int32_t)cache, 0);
    if (type == DB_HASH && source_bytes > SMALL_CACHE) {
        (void)db->set_h_nelem(db, (u_int32_t)(source_bytes / ENTRY_BYTES));
    }
}

static bool open_db(struct map_writer *writer, const struct map_writer_spec *spec,
                    DBTYPE type)
{
    struct db_writer *self = (struct db_writer *)writer;
    if (!is_good(self, db_create(&self->db, NULL, 0))) {
        self->db = NULL;
        return false;
    }
    /* The library's own complaints on standard error would bypass the log. */
    self->db->set_errfile(self->db, NULL);
    tune(self->db, spec->conf, type, spec->options->source_bytes);
    bool has_content = spec->options->incremental && writer->file.old_fd >= 0;
    return is_good(self,
                   self->db->open(self->db, NULL, writer->file.temporary, NULL, type,
                                  has_content ? 0 : DB_CREATE | DB_TRUNCATE, 0));
}

static bool open_hash(struct map_writer *writer, const struct map_writer_spec *spec)
{
    return open_db(writer, spec, DB_HASH);
}

static bool open_btree(struct map_writer *writer, const struct map_writer_spec *spec)
{
    return open_db(writer, spec, DB_BTREE);
}

static DBT item_of(struct view bytes)
{
    CHECK(bytes.len <= UINT32_MAX);
    /* The library does not write there. */
    return (DBT){.data = (void *)(uintptr_t)bytes.ptr, .size = (u_int32_t)bytes.len};
}

static bool put(struct map_writer *writer, bool replace, struct view key,
                struct view value, bool *existed_out)
{
    struct db_writer *self = (struct db_writer *)writer;
    DBT key_item = item_of(key);
    DBT value_item = item_of(value);
    int code = self->db->put(self->db, NULL, &key_item, &value_item,
                             replace ? 0 : DB_NOOVERWRITE);
    *existed_out = code == DB_KEYEXIST;
    return *existed_out || is_good(self, code);
}

static bool remove_key(struct map_writer *writer, struct view key, bool *existed_out)
{
    struct db_writer *self = (struct db_writer *)writer;
    DBT item = item_of(key);
    int code = self->db->del(self->db, NULL, &item, 0);
    *existed_out = code == 0;
    return code == DB_NOTFOUND || is_good(self, code);
}

static bool finish(struct map_writer *writer)
{
    struct db_writer *self = (struct db_writer *)writer;
    DB *db = self->db;
    self->db = NULL;
    return is_good(self, db->close(db, 0));
}

static void done(struct map_writer *writer)
{
    struct db_writer *self = (struct db_writer *)writer;
    if (self->db != NULL) {
        (void)self->db->close(self->db, DB_NOSYNC);
    }
}

static const struct map_writer_type hash_writer = {.suffix = ".db",
                                                   .nul = MAP_NUL_ADD,
                                                   .name = MAP_NAME_FILE,
                                                   .open = open_hash,
                                                   .put = put,
                                                   .remove = remove_key,
                                                   .finish = finish,
                                                   .done = done};

static const struct map_writer_type btree_writer = {.suffix = ".db",
                                                    .nul = MAP_NUL_ADD,
                                                    .name = MAP_NAME_FILE,
                                                    .open = open_btree,
                                                    .put = put,
                                                    .remove = remove_key,
                                                    .finish = finish,
                                                    .done = done};

static struct map_writer *new_writer(const struct map_writer_type *type)
{
    struct db_writer *self = xcalloc(1, sizeof(*self));
    self->writer.type = type;
    return &self->writer;
}

struct map_writer *db_writer_new_hash(void)
{
    return new_writer(&hash_writer);
}

struct map_writer *db_writer_new_btree(void)
{
    return new_writer(&btree_writer);
}
