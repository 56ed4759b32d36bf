/* SPDX-License-Identifier: MIT */
/*
 * cdb: tables, FILE.cdb: a file that is never changed, only replaced.  Reading maps it
 * into memory.  Adding and deleting copies the entries that stay.
 */
#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/map_file.h"
#include "map/module.h"
#include "sys/file.h"

MAP_MODULE;

struct cdb_table {
    struct map map;
    struct map_file file;
    struct cdb cdb;
    int fd;
    struct str question;
};

/* --- opening ----------------------------------------------------------------- */

static void close_file(struct cdb_table *table)
{
    if (table->fd >= 0) {
        cdb_free(&table->cdb);
        fd_close(&table->fd);
    }
}

static void close_table(struct map *map)
{
    struct cdb_table *table = (struct cdb_table *)map;
    close_file(table);
    str_done(&table->question);
    free(table->file.path);
    free(table);
}

/* 0 or an errno; nothing is open then. */
static int open_file(struct cdb_table *table)
{
    table->fd = open(table->file.path, O_RDONLY | O_CLOEXEC);
    if (table->fd < 0) {
        return errno;
    }
    if (!map_file_note(&table->file, table->fd) ||
        cdb_init(&table->cdb, table->fd) != 0) {
        int code = errno;
        fd_close(&table->fd);
        return code;
    }
    return 0;
}

/* Go over to the file that has taken the place of ours, if there is one. */
static void follow_replacement(struct cdb_table *table)
{
    if (!map_file_is_replaced(&table->file, table->fd)) {
        return;
    }
    struct cdb_table old = *table;
    if (open_file(table) != 0) {
        table->cdb = old.cdb;
        table->fd = old.fd;
        table->file.is_old = true;
        return;
    }
    close_file(&old);
    table->map.owner = table->file.opened.st_uid;
    map_log_reopened(&table->map);
}

static bool changed(struct map *map)
{
    struct cdb_table *table = (struct cdb_table *)map;
    follow_replacement(table);
    return table->file.is_old;
}

/* --- records ----------------------------------------------------------------- */

struct record {
    const void *key, *value;
    unsigned key_len, len, position;
};

/* A record that was replaced or deleted is still in the file, but not found. */
static bool is_found(struct cdb *cdb, const struct record *record)
{
    return cdb_find(cdb, record->key, record->key_len) > 0 &&
           cdb_datapos(cdb) == record->position;
}

/* The next record that counts.  1, 0 at the end, below 0 an error. */
static int next_record(struct cdb *cdb, unsigned *cursor, struct record *out)
{
    int more;
    while ((more = cdb_seqnext(cursor, cdb)) > 0) {
        out->key_len = cdb_keylen(cdb);
        out->len = cdb_datalen(cdb);
        out->position = cdb_datapos(cdb);
        out->key = cdb_get(cdb, out->key_len, cdb_keypos(cdb));
        out->value = cdb_get(cdb, out->len, out->position);
        if (out->key == NULL || out->value == NULL) {
            return -1;
        }
        if (is_found(cdb, out)) {
            return 1;
        }
    }
    return more;
}

/* --- looking up -------------------------------------------------------------- */

static struct view without_nul(const void *data, unsigned len)
{
    struct view bytes = view_of(data, len);
    bool has_nul = bytes.len > 0 && bytes.ptr[bytes.len - 1] == '\0';
    return view_first(bytes, bytes.len - has_nul);
}

/* As cdb_find(): 1 found, 0 not found, below 0 an error. */
static int get(struct cdb_table *table, size_t key_len, struct str *value_out)
{
    int found = cdb_find(&table->cdb, table->question.ptr, (unsigned)key_len);
    if (found <= 0) {
        return found;
    }
    unsigned len = cdb_datalen(&table->cdb);
    const void *value = cdb_get(&table->cdb, len, cdb_datapos(&table->cdb));
    if (value == NULL) {
        return -1;
    }
    str_add(value_out, without_nul(value, len));
    return 1;
}

static enum outcome fail(const struct cdb_table *table, struct err *err)
{
    return err_temp(err, "4.3.0", "error reading %s: %m", table->file.path);
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct cdb_table *table = (struct cdb_table *)map;
    follow_replacement(table);
    str_set(&table->question, key);
    str_add_byte(&table->question, '\0');
    if (!str_ok(&table->question)) {
        return MAP_MISSING;
    }
    int found = get(table, key.len, value_out);
    found = found == 0 ? get(table, key.len + 1, value_out) : found;
    if (found < 0) {
        (void)fail(table, err);
        return MAP_ERROR;
    }
    return found > 0 ? MAP_FOUND : MAP_MISSING;
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    struct cdb_table *table = (struct cdb_table *)map;
    unsigned cursor;
    cdb_seqinit(&cursor, &table->cdb);
    struct record record;
    int more;
    while ((more = next_record(&table->cdb, &cursor, &record)) > 0 &&
           visit(context, without_nul(record.key, record.key_len),
                 without_nul(record.value, record.len))) {
    }
    return more >= 0 ? OK : fail(table, err);
}

static const struct map_type cdb_type = {.name = "cdb",
                                         .properties = MAP_TYPE_FOLDS,
                                         .close = close_table,
                                         .find = find,
                                         .changed = changed,
                                         .walk = walk};

struct map *dict_cdb_open(const struct map_spec *spec, struct err *err);

struct map *dict_cdb_open(const struct map_spec *spec, struct err *err)
{
    struct cdb_table *table = xcalloc(1, sizeof(*table));
    table->map.type = &cdb_type;
    table->file.path = xasprintf("%s.cdb", spec->name);
    table->file.always_look = (spec->flags & MAP_FRESH) != 0;
    int code = open_file(table);
    if (code != 0) {
        (void)err_temp(err, "4.3.0", "open database %s: %s", table->file.path,
                       strerror(code));
        close_table(&table->map);
        return NULL;
    }
    table->map.owner = table->file.opened.st_uid;
    map_file_warn_old(&table->file, spec->name);
    return &table->map;
}

/* --- writing ----------------------------------------------------------------- */

struct cdb_writer {
    struct map_writer writer;
    struct cdb_make make;
    int fd;
    bool open;
};

/* The library's limit is 4 GiB; it says so with ENOMEM. */
static bool is_good(struct cdb_writer *self, bool good)
{
    if (!good) {
        self->writer.reason = strerror(errno);
    }
    return good;
}

static bool copy_old(struct cdb_writer *self, int old_fd)
{
    struct cdb old;
    if (cdb_init(&old, old_fd) != 0) {
        return false;
    }
    unsigned cursor;
    cdb_seqinit(&cursor, &old);
    struct record record;
    int more;
    while ((more = next_record(&old, &cursor, &record)) > 0) {
        if (cdb_make_add(&self->make, record.key, record.key_len, record.value,
                         record.len) < 0) {
            more = -1;
            break;
        }
    }
    int code = errno;
    cdb_free(&old);
    errno = code;
    return more >= 0;
}

static bool open_writer(struct map_writer *writer, const struct map_writer_spec *spec)
{
    struct cdb_writer *self = (struct cdb_writer *)writer;
    self->fd = open(writer->file.temporary, O_RDWR | O_CLOEXEC);
    if (!is_good(self, self->fd >= 0) ||
        !is_good(self, cdb_make_start(&self->make, self->fd) == 0)) {
        return false;
    }
    self->open = true;
    bool has_content = spec->options->incremental && writer->file.old_fd >= 0;
    return !has_content || is_good(self, copy_old(self, writer->file.old_fd));
}

static bool put(struct map_writer *writer, bool replace, struct view key,
                struct view value, bool *existed_out)
{
    struct cdb_writer *self = (struct cdb_writer *)writer;
    int existed =
        cdb_make_put(&self->make, key.ptr, (unsigned)key.len, value.ptr,
                     (unsigned)value.len, replace ? CDB_PUT_REPLACE : CDB_PUT_INSERT);
    *existed_out = existed > 0 && !replace;
    return is_good(self, existed >= 0);
}

static bool remove_key(struct map_writer *writer, struct view key, bool *existed_out)
{
    struct cdb_writer *self = (struct cdb_writer *)writer;
    int found = cdb_make_find(&self->make, key.ptr, (unsigned)key.len, CDB_FIND_REMOVE);
    *existed_out = found > 0;
    return is_good(self, found >= 0);
}

static bool finish(struct map_writer *writer)
{
    struct cdb_writer *self = (struct cdb_writer *)writer;
    self->open = false;
    return is_good(self, cdb_make_finish(&self->make) == 0);
}

static void done(struct map_writer *writer)
{
    struct cdb_writer *self = (struct cdb_writer *)writer;
    if (self->open) {
        (void)cdb_make_finish(&self->make); /* frees; the file goes */
    }
    fd_close(&self->fd);
}

static const struct map_writer_type cdb_writer_type = {.suffix = ".cdb",
                                                       .nul = MAP_NUL_NONE,
                                                       .name = MAP_NAME_SOURCE,
                                                       .copies_entries = true,
                                                       .open = open_writer,
                                                       .put = put,
                                                       .remove = remove_key,
                                                       .finish = finish,
                                                       .done = done};

struct map_writer *mkmap_cdb_open(void);

struct map_writer *mkmap_cdb_open(void)
{
    struct cdb_writer *self = xcalloc(1, sizeof(*self));
    self->writer.type = &cdb_writer_type;
    self->fd = -1;
    return &self->writer;
}
