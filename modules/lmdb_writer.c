/* SPDX-License-Identifier: MIT */
/*
 * Building lmdb: tables.  Entries are written in batches of one transaction each.  When
 * the file's size limit does not suffice for a batch, it is doubled and the batch is
 * written again: that is why the batch is remembered.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "map/module.h"
#include "modules/lmdb_change.h"

int lmdb_change(MDB_txn *txn, MDB_dbi dbi, enum lmdb_change_kind kind, struct view key,
                struct view value)
{
    MDB_val key_item = {key.len, (void *)(uintptr_t)key.ptr}; /* not written to */
    MDB_val value_item = {value.len, (void *)(uintptr_t)value.ptr};
    if (kind == LMDB_REMOVE) {
        return mdb_del(txn, dbi, &key_item, NULL);
    }
    return mdb_put(txn, dbi, &key_item, &value_item,
                   kind == LMDB_ADD ? MDB_NOOVERWRITE : 0);
}

enum {
    MODE = 0600, /* the temporary file is there already */
    BATCH_ENTRIES = 16 * 1024,
    BATCH_BYTES = 4 * 1024 * 1024,
    BYTES_PER_SOURCE_BYTE = 4 /* of the file; a guess that is right most often */
};

struct change {
    struct change *next;
    enum lmdb_change_kind kind;
    struct view key, value;
};

struct lmdb_writer {
    struct map_writer writer;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    size_t map_size;
    struct arena batch;
    struct change *first, **last;
    size_t count, bytes;
};

static bool is_good(struct lmdb_writer *self, int code)
{
    if (code != 0) {
        self->writer.reason = mdb_strerror(code);
    }
    return code == 0;
}

static int begin(struct lmdb_writer *self)
{
    int code = mdb_txn_begin(self->env, NULL, 0, &self->txn);
    if (code != 0) {
        self->txn = NULL;
        return code;
    }
    return mdb_dbi_open(self->txn, NULL, 0, &self->dbi);
}

static void forget_batch(struct lmdb_writer *self)
{
    arena_clear(&self->batch);
    self->first = NULL;
    self->last = &self->first;
    self->count = 0;
    self->bytes = 0;
}

static int apply(struct lmdb_writer *self, const struct change *change)
{
    return lmdb_change(self->txn, self->dbi, change->kind, change->key, change->value);
}

/* Those of the batch that had an effect the first time. */
static int apply_batch(struct lmdb_writer *self)
{
    int code = begin(self);
    for (const struct change *change = self->first; code == 0 && change != NULL;
         change = change->next) {
        code = apply(self, change);
    }
    return code;
}

/* Double the file's limit and repeat the batch, until it fits. */
static int grow(struct lmdb_writer *self)
{
    int code;
    do {
        mdb_txn_abort(self->txn);
        self->txn = NULL;
        if (self->map_size > SIZE_MAX / 4) {
            return ENOSPC;
        }
        self->map_size *= 2;
        code = mdb_env_set_mapsize(self->env, self->map_size);
        code = code != 0 ? code : apply_batch(self);
    } while (code == MDB_MAP_FULL);
    return code;
}

static int end_batch(struct lmdb_writer *self)
{
    int code = mdb_txn_commit(self->txn);
    self->txn = NULL;
    while (code == MDB_MAP_FULL) {
        code = apply_batch(self);
        code = code == MDB_MAP_FULL ? grow(self) : code;
        if (code == 0) {
            code = mdb_txn_commit(self->txn);
            self->txn = NULL;
        }
    }
    forget_batch(self);
    return code;
}

static void remember(struct lmdb_writer *self, const struct change *change)
{
    struct change *copy = arena_alloc(&self->batch, sizeof(*copy));
    copy->kind = change->kind;
    copy->key = arena_view(&self->batch, change->key);
    copy->value = arena_view(&self->batch, change->value);
    *self->last = copy;
    self->last = &copy->next;
    self->count++;
    self->bytes += change->key.len + change->value.len;
}

/* 0, or a code, such as MDB_KEYEXIST and MDB_NOTFOUND, which change nothing. */
static int change_entry(struct lmdb_writer *self, const struct change *change)
{
    int code = self->txn == NULL ? begin(self) : 0;
    code = code != 0 ? code : apply(self, change);
    if (code == MDB_MAP_FULL) {
        code = grow(self);
        code = code != 0 ? code : apply(self, change);
    }
    if (code != 0) {
        return code;
    }
    remember(self, change);
    bool full = self->count >= BATCH_ENTRIES || self->bytes >= BATCH_BYTES;
    return full ? end_batch(self) : 0;
}

static bool put(struct map_writer *writer, bool replace, struct view key,
                struct view value, bool *existed_out)
{
    struct lmdb_writer *self = (struct lmdb_writer *)writer;
    if (key.len == 0 || key.len > (size_t)mdb_env_get_maxkeysize(self->env)) {
        writer->reason = key.len == 0 ? "empty key" : "key is too long for this type";
        return false;
    }
    const struct change change = {
        .kind = replace ? LMDB_REPLACE : LMDB_ADD, .key = key, .value = value};
    int code = change_entry(self, &change);
    *existed_out = code == MDB_KEYEXIST;
    return *existed_out || is_good(self, code);
}

static bool remove_key(struct map_writer *writer, struct view key, bool *existed_out)
{
    struct lmdb_writer *self = (struct lmdb_writer *)writer;
    if (key.len == 0 || key.len > (size_t)mdb_env_get_maxkeysize(self->env)) {
        return true;
    }
    const struct change change = {
        .kind = LMDB_REMOVE, .key = key, .value = view_of("", 0)};
    int code = change_entry(self, &change);
    *existed_out = code == 0;
    return code == MDB_NOTFOUND || is_good(self, code);
}

static size_t first_map_size(const struct map_writer *writer,
                             const struct map_writer_spec *spec)
{
    int64_t least = conf_long(spec->conf, P_lmdb_map_size);
    int64_t present = writer->file.old_fd >= 0 ? writer->file.old.st_size : 0;
    int64_t guess =
        (int64_t)spec->options->source_bytes * BYTES_PER_SOURCE_BYTE + 2 * present;
    return (size_t)(guess > least ? guess : least);
}

/* Nobody else sees the temporary file, and the end syncs it: no locks, no syncs. */
static bool open_writer(struct map_writer *writer, const struct map_writer_spec *spec)
{
    struct lmdb_writer *self = (struct lmdb_writer *)writer;
    forget_batch(self);
    self->map_size = first_map_size(writer, spec);
    int code = mdb_env_create(&self->env);
    if (code != 0) {
        self->env = NULL;
        return is_good(self, code);
    }
    code = mdb_env_set_mapsize(self->env, self->map_size);
    code = code != 0 ? code
                     : mdb_env_open(self->env, writer->file.temporary,
                                    MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, MODE);
    return is_good(self, code != 0 ? code : begin(self));
}

static bool finish(struct map_writer *writer)
{
    struct lmdb_writer *self = (struct lmdb_writer *)writer;
    return self->txn == NULL || is_good(self, end_batch(self));
}

static void done(struct map_writer *writer)
{
    struct lmdb_writer *self = (struct lmdb_writer *)writer;
    if (self->txn != NULL) {
        mdb_txn_abort(self->txn);
    }
    if (self->env != NULL) {
        mdb_env_close(self->env);
    }
    arena_clear(&self->batch);
}

static const struct map_writer_type lmdb_writer_type = {.suffix = ".lmdb",
                                                        .nul = MAP_NUL_ADD,
                                                        .name = MAP_NAME_TITLE,
                                                        .open = open_writer,
                                                        .put = put,
                                                        .remove = remove_key,
                                                        .finish = finish,
                                                        .done = done};

struct map_writer *mkmap_lmdb_open(void);

struct map_writer *mkmap_lmdb_open(void)
{
    struct lmdb_writer *self = xcalloc(1, sizeof(*self));
    self->writer.type = &lmdb_writer_type;
    return &self->writer;
}
