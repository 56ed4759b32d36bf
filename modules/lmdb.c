/* SPDX-License-Identifier: MIT */
/*
 * lmdb: tables, FILE.lmdb.  Reading maps the file into memory: a lookup costs no system
 * call, and all processes share one copy.
 *
 * The library's own locks are not used: they need a second file that readers may write.
 * A table that is built here is a new file (map/replacement.h), which needs none.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/check.h"
#include "map/map_file.h"
#include "map/module.h"
#include "sys/file.h"

MAP_MODULE;

enum { MODE = 0644 };

struct lmdb_table {
    struct map map;
    struct map_file file;
    MDB_env *env;
    MDB_txn *txn; /* reset between lookups, so that it holds no old pages */
    MDB_dbi dbi;
    size_t key_max;
    int fd;
    struct str question;
};

/* --- opening ----------------------------------------------------------------- */

static void close_env(struct lmdb_table *table)
{
    if (table->txn != NULL) {
        mdb_txn_abort(table->txn);
        table->txn = NULL;
    }
    if (table->env != NULL) {
        mdb_env_close(table->env);
        table->env = NULL;
    }
}

static void close_table(struct map *map)
{
    struct lmdb_table *table = (struct lmdb_table *)map;
    close_env(table);
    str_done(&table->question);
    free(table->file.path);
    free(table);
}

/* Open TABLE->file; 0, or the library's code. */
static int open_env(struct lmdb_table *table)
{
    int code = mdb_env_create(&table->env);
    if (code != 0) {
        table->env = NULL;
        return code;
    }
    code = mdb_env_open(table->env, table->file.path,
                        MDB_RDONLY | MDB_NOSUBDIR | MDB_NOLOCK, MODE);
    code = code != 0 ? code : mdb_txn_begin(table->env, NULL, MDB_RDONLY, &table->txn);
    code = code != 0 ? code : mdb_dbi_open(table->txn, NULL, 0, &table->dbi);
    code = code != 0 ? code : mdb_env_get_fd(table->env, &table->fd);
    if (code == 0 && !map_file_note(&table->file, table->fd)) {
        code = errno;
    }
    if (code == 0) {
        table->key_max = (size_t)mdb_env_get_maxkeysize(table->env);
        mdb_txn_reset(table->txn);
    }
    return code;
}

/* Go over to the file that has taken the place of ours, if there is one. */
static void follow_replacement(struct lmdb_table *table)
{
    if (!map_file_is_replaced(&table->file, table->fd)) {
        return;
    }
    struct lmdb_table old = *table;
    table->env = NULL;
    table->txn = NULL;
    if (open_env(table) != 0) {
        close_env(table);
        table->env = old.env;
        table->txn = old.txn;
        table->dbi = old.dbi;
        table->fd = old.fd;
        table->file.is_old = true;
        return;
    }
    close_env(&old);
    table->map.owner = table->file.opened.st_uid;
    map_log_reopened(&table->map);
}

static bool changed(struct map *map)
{
    struct lmdb_table *table = (struct lmdb_table *)map;
    follow_replacement(table);
    return table->file.is_old;
}

/* --- looking up -------------------------------------------------------------- */

static struct view without_nul(const MDB_val *item)
{
    struct view bytes = view_of(item->mv_data, item->mv_size);
    bool has_nul = bytes.len > 0 && bytes.ptr[bytes.len - 1] == '\0';
    return view_first(bytes, bytes.len - has_nul);
}

static int get(struct lmdb_table *table, size_t key_len, struct str *value_out)
{
    if (key_len > table->key_max) {
        return MDB_NOTFOUND;
    }
    MDB_val key = {.mv_size = key_len, .mv_data = table->question.ptr};
    MDB_val value;
    int code = mdb_get(table->txn, table->dbi, &key, &value);
    if (code == 0) {
        str_add(value_out, without_nul(&value));
    }
    return code;
}

static enum outcome fail(const struct lmdb_table *table, int code, struct err *err)
{
    return err_temp(err, "4.3.0", "error reading %s: %s", table->file.path,
                    mdb_strerror(code));
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct lmdb_table *table = (struct lmdb_table *)map;
    follow_replacement(table);
    str_set(&table->question, key);
    str_add_byte(&table->question, '\0');
    if (!str_ok(&table->question) || key.len == 0) {
        return MAP_MISSING;
    }
    int code = mdb_txn_renew(table->txn);
    if (code == 0) {
        code = get(table, key.len + 1, value_out);
        code = code == MDB_NOTFOUND ? get(table, key.len, value_out) : code;
        mdb_txn_reset(table->txn);
    }
    if (code == MDB_NOTFOUND) {
        return MAP_MISSING;
    }
    if (code != 0) {
        (void)fail(table, code, err);
        return MAP_ERROR;
    }
    return MAP_FOUND;
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    struct lmdb_table *table = (struct lmdb_table *)map;
    MDB_cursor *cursor;
    int code = mdb_txn_renew(table->txn);
    if (code != 0) {
        return fail(table, code, err);
    }
    code = mdb_cursor_open(table->txn, table->dbi, &cursor);
    if (code == 0) {
        MDB_val key, value;
        while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0 &&
               visit(context, without_nul(&key), without_nul(&value))) {
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_reset(table->txn);
    return code == 0 || code == MDB_NOTFOUND ? OK : fail(table, code, err);
}

static const struct map_type lmdb_type = {.name = "lmdb",
                                          .properties = MAP_TYPE_FOLDS,
                                          .close = close_table,
                                          .find = find,
                                          .changed = changed,
                                          .walk = walk};

struct map *dict_lmdb_open(const struct map_spec *spec, struct err *err);

struct map *dict_lmdb_open(const struct map_spec *spec, struct err *err)
{
    struct lmdb_table *table = xcalloc(1, sizeof(*table));
    table->map.type = &lmdb_type;
    table->file.path = xasprintf("%s.lmdb", spec->name);
    table->file.always_look = (spec->flags & MAP_FRESH) != 0;
    int code = open_env(table);
    if (code != 0) {
        (void)err_temp(err, "4.3.0", "open database %s: %s", table->file.path,
                       mdb_strerror(code));
        close_table(&table->map);
        return NULL;
    }
    table->map.owner = table->file.opened.st_uid;
    map_file_warn_old(&table->file, spec->name);
    return &table->map;
}

/* --- writing ----------------------------------------------------------------- */

/*
 * Entries are written in batches of one transaction each.  When the file's size limit
 * does not suffice for a batch, it is doubled and the batch is written again: that is
 * why the batch is remembered.
 */
enum {
    BATCH_ENTRIES = 16 * 1024,
    BATCH_BYTES = 4 * 1024 * 1024,
    BYTES_PER_SOURCE_BYTE = 4 /* of the file; a guess that is right most often */
};

enum change_kind { CHANGE_ADD, CHANGE_REPLACE, CHANGE_REMOVE };

struct change {
    struct change *next;
    enum change_kind kind;
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
    MDB_val key = {change->key.len, (void *)(uintptr_t)change->key.ptr};
    MDB_val value = {change->value.len, (void *)(uintptr_t)change->value.ptr};
    if (change->kind == CHANGE_REMOVE) {
        return mdb_del(self->txn, self->dbi, &key, NULL);
    }
    return mdb_put(self->txn, self->dbi, &key, &value,
                   change->kind == CHANGE_ADD ? MDB_NOOVERWRITE : 0);
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
        .kind = replace ? CHANGE_REPLACE : CHANGE_ADD, .key = key, .value = value};
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
        .kind = CHANGE_REMOVE, .key = key, .value = view_of("", 0)};
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
