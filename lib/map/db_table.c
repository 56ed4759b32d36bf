/* SPDX-License-Identifier: MIT */
/*
 * hash: and btree: tables.  The file is opened read-only, without a database
 * environment and without locks: who replaces it (postmap here) renames a complete new
 * file over it, which is opened at the next lookup, or, where that is not possible any
 * more (chroot, rights that were given up), when the worker starts anew.
 *
 * A table that is opened with MAP_WRITE (a cache) belongs to one process as long as it
 * is open: the library keeps pages in memory, and two processes would undo each other's
 * work.
 */
#include <db.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "map/db_writer.h"
#include "map/map_file.h"
#include "map/map_private.h"
#include "sys/file.h"

enum {
    BULK_CACHE_MIN = 1024 * 1024,
    BULK_CACHE_MAX = 64 * 1024 * 1024, /* for who asks a lot: the file, if it fits */
    CACHE_MODE = 0600
};

struct db_table {
    struct map map;
    DB *db;
    int fd; /* the library's */
    DBTYPE type;
    struct map_file file;
    int lock_fd;         /* MAP_WRITE: holds the lock; -1: read only */
    struct str question; /* key with NUL */
};

/* --- opening ----------------------------------------------------------------- */

static void close_db(DB *db)
{
    if (db != NULL) {
        (void)db->close(db, DB_NOSYNC);
    }
}

static void close_table(struct map *map)
{
    struct db_table *table = (struct db_table *)map;
    close_db(table->db);
    fd_close(&table->lock_fd);
    str_done(&table->question);
    free(table->file.path);
    free(table);
}

static u_int32_t cache_size(const struct conf *conf, const char *path, unsigned flags)
{
    int cache = conf_int(conf, P_berkeley_db_read_buffer_size);
    struct stat st;
    if ((flags & MAP_BULK) != 0 && stat(path, &st) == 0) {
        /* The library adds a quarter for itself. */
        int64_t wanted = st.st_size + st.st_size / 4 + BULK_CACHE_MIN;
        int bulk = wanted < BULK_CACHE_MAX ? (int)wanted : BULK_CACHE_MAX;
        cache = bulk > cache ? bulk : cache;
    }
    return cache > 0 ? (u_int32_t)cache : 0;
}

/* 0, or the library's error code. */
static int open_db(const struct db_table *table, const struct conf *conf,
                   unsigned flags, DB **db_out, int *fd_out)
{
    *db_out = NULL;
    DB *db;
    int code = db_create(&db, NULL, 0);
    if (code != 0) {
        return code;
    }
    /* The library's own complaints on standard error would bypass the log. */
    db->set_errfile(db, NULL);
    u_int32_t cache = cache_size(conf, table->file.path, flags);
    if (cache > 0) {
        (void)db->set_cachesize(db, 0, cache, 0);
    }
    u_int32_t mode = table->lock_fd >= 0 ? DB_CREATE : DB_RDONLY;
    code = db->open(db, NULL, table->file.path, NULL, table->type, mode, CACHE_MODE);
    code = code != 0 ? code : db->fd(db, fd_out);
    if (code != 0) {
        close_db(db);
        return code;
    }
    *db_out = db;
    return 0;
}

static struct map *open_table(const struct map_spec *spec, DBTYPE type, struct err *err)
{
    struct db_table *table = xcalloc(1, sizeof(*table));
    table->file.path = xasprintf("%s.db", spec->name);
    table->file.always_look = (spec->flags & MAP_FRESH) != 0;
    table->type = type;
    table->lock_fd = -1;
    int code = (spec->flags & MAP_WRITE) != 0
                   ? map_file_lock(&table->file, CACHE_MODE, &table->lock_fd)
                   : 0;
    if (code == 0) {
        code = open_db(table, spec->conf, spec->flags, &table->db, &table->fd);
    }
    if (code == 0 && !map_file_note(&table->file, table->fd)) {
        code = errno;
    }
    if (code != 0) {
        (void)err_temp(err, "4.3.0", "open database %s: %s", table->file.path,
                       db_strerror(code));
        close_table(&table->map);
        return NULL;
    }
    table->map.owner = table->file.opened.st_uid;
    map_file_warn_old(&table->file, spec->name);
    return &table->map;
}

static struct map *open_hash(const struct map_spec *spec, struct err *err)
{
    return open_table(spec, DB_HASH, err);
}

static struct map *open_btree(const struct map_spec *spec, struct err *err)
{
    return open_table(spec, DB_BTREE, err);
}

/* Go over to the file that has taken the place of ours, if there is one. */
static void follow_replacement(struct db_table *table)
{
    if (!map_file_is_replaced(&table->file, table->fd)) {
        return;
    }
    DB *db;
    int fd;
    if (table->lock_fd >= 0 || /* the lock is on the old file */
        open_db(table, table->map.conf, table->map.flags, &db, &fd) != 0) {
        table->file.is_old = true;
        return;
    }
    close_db(table->db);
    table->db = db;
    table->fd = fd;
    table->file.is_old = !map_file_note(&table->file, fd);
    table->map.owner = table->file.opened.st_uid;
    map_log_reopened(&table->map);
}

/* --- looking up -------------------------------------------------------------- */

static struct view without_nul(const DBT *item)
{
    struct view bytes = view_of(item->data, item->size);
    bool has_nul = bytes.len > 0 && bytes.ptr[bytes.len - 1] == '\0';
    return view_first(bytes, bytes.len - has_nul);
}

static int get(struct db_table *table, size_t key_len, struct str *value_out)
{
    DBT key = {.data = table->question.ptr, .size = (u_int32_t)key_len};
    DBT value = {0};
    int code = table->db->get(table->db, NULL, &key, &value, 0);
    if (code == 0) {
        str_add(value_out, without_nul(&value));
    }
    return code;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct db_table *table = (struct db_table *)map;
    follow_replacement(table);
    str_set(&table->question, key);
    str_add_byte(&table->question, '\0');
    if (!str_ok(&table->question)) {
        return MAP_MISSING;
    }
    /* Most files have the NUL; files may be mixed (postmap -N -i), so a miss asks
     * twice. */
    int code = get(table, key.len + 1, value_out);
    if (code == DB_NOTFOUND && key.len > 0) {
        code = get(table, key.len, value_out);
    }
    if (code == DB_NOTFOUND || code == DB_KEYEMPTY) {
        return MAP_MISSING;
    }
    if (code != 0) {
        (void)err_temp(err, "4.3.0", "error reading %s: %s", table->file.path,
                       db_strerror(code));
        return MAP_ERROR;
    }
    return MAP_FOUND;
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    struct db_table *table = (struct db_table *)map;
    DBC *cursor;
    int code = table->db->cursor(table->db, NULL, &cursor, 0);
    if (code == 0) {
        DBT key = {0}, value = {0};
        while ((code = cursor->get(cursor, &key, &value, DB_NEXT)) == 0 &&
               visit(context, without_nul(&key), without_nul(&value))) {
        }
        (void)cursor->close(cursor);
    }
    if (code != 0 && code != DB_NOTFOUND) {
        return err_temp(err, "4.3.0", "error reading %s: %s", table->file.path,
                        db_strerror(code));
    }
    return OK;
}

/* --- changes ----------------------------------------------------------------- */

/* What happened is on disk, and no news to us.  CODE: of the library. */
static int finish_change(struct db_table *table, int code)
{
    if (code == 0) {
        code = table->db->sync(table->db, 0);
    }
    if (code == 0 && !map_file_note(&table->file, table->fd)) {
        code = errno;
    }
    return code;
}

static enum outcome put(struct map *map, struct view key, struct view value,
                        struct err *err)
{
    struct db_table *table = (struct db_table *)map;
    STR_AUTO struct str content = {0};
    str_add(&content, value);
    str_add_byte(&content, '\0');
    str_set(&table->question, key);
    str_add_byte(&table->question, '\0');
    if (!str_ok(&content) || !str_ok(&table->question)) {
        return err_perm(err, "4.3.0", "error writing %s: entry is too long",
                        table->file.path);
    }
    DBT db_key = {.data = table->question.ptr, .size = (u_int32_t)table->question.len};
    DBT db_value = {.data = content.ptr, .size = (u_int32_t)content.len};
    int code =
        finish_change(table, table->db->put(table->db, NULL, &db_key, &db_value, 0));
    if (code != 0) {
        return err_temp(err, "4.3.0", "error writing %s: %s", table->file.path,
                        db_strerror(code));
    }
    return OK;
}

static enum map_result remove_key(struct map *map, struct view key, struct err *err)
{
    struct db_table *table = (struct db_table *)map;
    str_set(&table->question, key);
    str_add_byte(&table->question, '\0');
    if (!str_ok(&table->question)) {
        return MAP_MISSING;
    }
    bool any = false;
    int code = 0;
    /* With and without NUL: who asks finds either. */
    for (size_t len = key.len + 1; code == 0 && len > 0 && len >= key.len; len--) {
        DBT db_key = {.data = table->question.ptr, .size = (u_int32_t)len};
        code = table->db->del(table->db, NULL, &db_key, 0);
        any = any || code == 0;
        code = code == DB_NOTFOUND ? 0 : code;
    }
    if (any || code != 0) {
        code = finish_change(table, code);
    }
    if (code != 0) {
        (void)err_temp(err, "4.3.0", "error writing %s: %s", table->file.path,
                       db_strerror(code));
        return MAP_ERROR;
    }
    return any ? MAP_FOUND : MAP_MISSING;
}

static bool changed(struct map *map)
{
    struct db_table *table = (struct db_table *)map;
    follow_replacement(table);
    return table->file.is_old;
}

const struct map_type map_type_hash = {.name = "hash",
                                       .properties = MAP_TYPE_FOLDS,
                                       .open = open_hash,
                                       .close = close_table,
                                       .find = find,
                                       .changed = changed,
                                       .walk = walk,
                                       .new_writer = db_writer_new_hash,
                                       .put = put,
                                       .remove = remove_key};

const struct map_type map_type_btree = {.name = "btree",
                                        .properties = MAP_TYPE_FOLDS,
                                        .open = open_btree,
                                        .close = close_table,
                                        .find = find,
                                        .changed = changed,
                                        .walk = walk,
                                        .new_writer = db_writer_new_btree,
                                        .put = put,
                                        .remove = remove_key};
