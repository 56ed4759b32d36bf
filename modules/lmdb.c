/* SPDX-License-Identifier: MIT */
/*
 * lmdb: tables, FILE.lmdb.  Reading maps the file into memory: a lookup costs no system
 * call, and all processes share one copy.
 *
 * The library's own locks are not used: they need a second file that readers may write.
 * A table that is built here is a new file (map/replacement.h), which needs none; one
 * that is opened with MAP_WRITE (a cache) belongs to one process as long as it is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "map/map_file.h"
#include "map/module.h"
#include "modules/lmdb_change.h"
#include "sys/file.h"

MAP_MODULE;

enum { MODE = 0644, CACHE_MODE = 0600 };

struct lmdb_table {
    struct map map;
    struct map_file file;
    MDB_env *env;
    MDB_txn *txn; /* reset between lookups, so that it holds no old pages */
    MDB_dbi dbi;
    size_t key_max;
    size_t map_size; /* MAP_WRITE: 0 until the file outgrows its own */
    int fd;
    int lock_fd; /* MAP_WRITE: holds the lock; -1: read only */
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
    fd_close(&table->lock_fd);
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
    unsigned mode = table->lock_fd >= 0 ? 0 : MDB_RDONLY;
    if (table->map_size > 0) {
        code = mdb_env_set_mapsize(table->env, table->map_size);
    }
    if (code == 0) {
        code = mdb_env_open(table->env, table->file.path,
                            mode | MDB_NOSUBDIR | MDB_NOLOCK, MODE);
    }
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
    /* A lock is on the old file. */
    if (table->lock_fd >= 0 || open_env(table) != 0) {
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

/* --- changes in place -------------------------------------------------------- */

/* A change that is on disk afterwards. */
static int commit_one(struct lmdb_table *table, enum lmdb_change_kind kind,
                      struct view key, struct view value)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(table->env, NULL, 0, &txn);
    if (code != 0) {
        return code;
    }
    code = lmdb_change(txn, table->dbi, kind, key, value);
    if (code == 0) {
        code = mdb_txn_commit(txn);
    } else {
        mdb_txn_abort(txn);
    }
    if (code == 0 && !map_file_note(&table->file, table->fd)) {
        code = errno;
    }
    return code;
}

static int change_table(struct lmdb_table *table, enum lmdb_change_kind kind,
                        struct view key, struct view value)
{
    int code = commit_one(table, kind, key, value);
    while (code == MDB_MAP_FULL) {
        MDB_envinfo info;
        code = mdb_env_info(table->env, &info);
        if (code == 0 && info.me_mapsize <= SIZE_MAX / 4) {
            table->map_size = 2 * info.me_mapsize;
            code = mdb_env_set_mapsize(table->env, table->map_size);
        }
        code = code != 0 ? code : commit_one(table, kind, key, value);
    }
    return code;
}

static enum outcome put_in_place(struct map *map, struct view key, struct view value,
                                 struct err *err)
{
    struct lmdb_table *table = (struct lmdb_table *)map;
    STR_AUTO struct str content = {0};
    str_add(&content, value);
    str_add_byte(&content, '\0');
    str_set(&table->question, key);
    str_add_byte(&table->question, '\0');
    if (!str_ok(&content) || table->question.len > table->key_max) {
        return err_perm(err, "4.3.0", "error writing %s: entry is too long",
                        table->file.path);
    }
    int code = change_table(table, LMDB_REPLACE, str_view(&table->question),
                            str_view(&content));
    if (code != 0) {
        return err_temp(err, "4.3.0", "error writing %s: %s", table->file.path,
                        mdb_strerror(code));
    }
    return OK;
}

static enum map_result remove_in_place(struct map *map, struct view key,
                                       struct err *err)
{
    struct lmdb_table *table = (struct lmdb_table *)map;
    str_set(&table->question, key);
    str_add_byte(&table->question, '\0');
    bool any = false;
    int code = 0;
    /* With and without NUL: who asks finds either. */
    for (size_t less = 0; code == 0 && less <= 1; less++) {
        struct view stored = view_first(str_view(&table->question), key.len + 1 - less);
        if (stored.len > 0 && stored.len <= table->key_max) {
            code = change_table(table, LMDB_REMOVE, stored, view_of("", 0));
            any = any || code == 0;
            code = code == MDB_NOTFOUND ? 0 : code;
        }
    }
    if (code != 0) {
        (void)err_temp(err, "4.3.0", "error writing %s: %s", table->file.path,
                       mdb_strerror(code));
        return MAP_ERROR;
    }
    return any ? MAP_FOUND : MAP_MISSING;
}

static const struct map_type lmdb_type = {.name = "lmdb",
                                          .properties = MAP_TYPE_FOLDS,
                                          .close = close_table,
                                          .find = find,
                                          .changed = changed,
                                          .walk = walk,
                                          .put = put_in_place,
                                          .remove = remove_in_place};

struct map *dict_lmdb_open(const struct map_spec *spec, struct err *err);

struct map *dict_lmdb_open(const struct map_spec *spec, struct err *err)
{
    struct lmdb_table *table = xcalloc(1, sizeof(*table));
    table->map.type = &lmdb_type;
    table->file.path = xasprintf("%s.lmdb", spec->name);
    table->lock_fd = -1;
    int code = 0;
    if ((spec->flags & MAP_WRITE) != 0) {
        code = map_file_lock(&table->file, CACHE_MODE, &table->lock_fd);
        table->map_size = (size_t)conf_long(spec->conf, P_lmdb_map_size);
    }
    code = code != 0 ? code : open_env(table);
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
