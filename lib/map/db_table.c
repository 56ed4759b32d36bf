/* SPDX-License-Identifier: MIT */
/*
 * hash: and btree: tables.  The file is opened read-only, without a database
 * environment and without locks: who replaces it (postmap here) renames a complete new
 * file over it, and this process goes on with the old one until map_changed() makes
 * its worker start anew.
 */
#include <db.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/db_file.h"
#include "map/map_private.h"
#include "sys/clock.h"

/* The same question again within this time is answered from memory. */
enum { CHANGE_CHECK_INTERVAL = CLOCK_SECOND };

struct db_table {
    struct map map;
    DB *db;
    char *path; /* FILE.db */
    int fd;     /* the library's */
    struct stat opened;
    struct str question; /* key with NUL */
    bool is_changed;
    int64_t checked_at;
};

bool db_kind_find(struct view type, enum db_kind *kind_out)
{
    bool hash = view_equal_cstr(type, "hash");
    *kind_out = hash ? DB_KIND_HASH : DB_KIND_BTREE;
    return hash || view_equal_cstr(type, "btree");
}

/* --- opening ----------------------------------------------------------------- */

static void close_table(struct map *map)
{
    struct db_table *table = (struct db_table *)map;
    if (table->db != NULL) {
        (void)table->db->close(table->db, DB_NOSYNC);
    }
    str_done(&table->question);
    free(table->path);
    free(table);
}

static int open_db(struct db_table *table, const struct conf *conf, DBTYPE type)
{
    int code = db_create(&table->db, NULL, 0);
    if (code != 0) {
        table->db = NULL;
        return code;
    }
    /* The library's own complaints on standard error would bypass the log. */
    table->db->set_errfile(table->db, NULL);
    int cache = conf_int(conf, P_berkeley_db_read_buffer_size);
    if (cache > 0) {
        (void)table->db->set_cachesize(table->db, 0, (u_int32_t)cache, 0);
    }
    code = table->db->open(table->db, NULL, table->path, NULL, type, DB_RDONLY, 0);
    return code != 0 ? code : table->db->fd(table->db, &table->fd);
}

static struct map *open_table(const struct map_spec *spec, DBTYPE type, struct err *err)
{
    struct db_table *table = xcalloc(1, sizeof(*table));
    table->path = xasprintf("%s.db", spec->name);
    int code = open_db(table, spec->conf, type);
    if (code == 0 && fstat(table->fd, &table->opened) != 0) {
        code = errno;
    }
    if (code != 0) {
        (void)err_temp(err, "4.3.0", "open database %s: %s", table->path,
                       db_strerror(code));
        close_table(&table->map);
        return NULL;
    }
    table->map.owner = table->opened.st_uid;
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
        (void)err_temp(err, "4.3.0", "error reading %s: %s", table->path,
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
        return err_temp(err, "4.3.0", "error reading %s: %s", table->path,
                        db_strerror(code));
    }
    return OK;
}

/* The file we have open was overwritten or is no longer anybody's. */
static bool content_is_old(const struct db_table *table)
{
    struct stat now;
    const struct stat *then = &table->opened;
    return fstat(table->fd, &now) == 0 &&
           (now.st_nlink == 0 || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != then->st_mtim.tv_nsec);
}

/* The name is another file's.  Outside a chroot this also sees through hard links. */
static bool name_is_taken(const struct db_table *table)
{
    struct stat now;
    return stat(table->path, &now) == 0 &&
           (now.st_dev != table->opened.st_dev || now.st_ino != table->opened.st_ino);
}

static bool changed(struct map *map)
{
    struct db_table *table = (struct db_table *)map;
    int64_t now = clock_now();
    if (!table->is_changed && now - table->checked_at >= CHANGE_CHECK_INTERVAL) {
        table->checked_at = now;
        table->is_changed = content_is_old(table) || name_is_taken(table);
    }
    return table->is_changed;
}

const struct map_type map_type_hash = {.name = "hash",
                                       .properties = MAP_TYPE_FOLDS,
                                       .open = open_hash,
                                       .close = close_table,
                                       .find = find,
                                       .changed = changed,
                                       .walk = walk};

const struct map_type map_type_btree = {.name = "btree",
                                        .properties = MAP_TYPE_FOLDS,
                                        .open = open_btree,
                                        .close = close_table,
                                        .find = find,
                                        .changed = changed,
                                        .walk = walk};
