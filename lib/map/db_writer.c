/* SPDX-License-Identifier: MIT */
/*
 * Writing hash: and btree: files.
 *
 * Writers of one file exclude each other, and Postfix's programs, by the lock that
 * Postfix uses: fcntl on the .db file itself.
 */
#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/db_file.h"
#include "sys/file.h"

enum {
    SMALL_CACHE = 1024 * 1024,
    LARGE_CACHE = 256 * 1024 * 1024,
    ENTRY_BYTES = 40, /* of source text, to guess the number of entries */
    COPY_STEP = 64 * 1024
};

struct db_writer {
    DB *db;
    char *path;      /* FILE.db */
    char *target;    /* the file itself, if PATH is a link to it */
    char *temporary; /* the new content */
    int old_fd;      /* FILE.db, locked; -1: there is none */
    struct stat old;
    bool in_place; /* TEMPORARY is elsewhere: copy it over the old file */
    bool with_nul;
    struct str key, value; /* scratch */
};

static void fail(const struct db_writer *writer, const char *verb, int code,
                 struct err *err)
{
    (void)err_temp(err, "4.3.0", "%s %s: %s", verb, writer->path, db_strerror(code));
}

/* --- the present file -------------------------------------------------------- */

static bool is_still_there(const struct db_writer *writer)
{
    struct stat now;
    return stat(writer->path, &now) == 0 && now.st_dev == writer->old.st_dev &&
           now.st_ino == writer->old.st_ino;
}

/* Have the present file locked, if there is one.  While we wait for the lock another
 * writer may put a new file in its place. */
static int lock_old(struct db_writer *writer)
{
    for (;;) {
        writer->old_fd = open(writer->path, O_RDWR | O_CLOEXEC);
        if (writer->old_fd < 0) {
            return errno == ENOENT ? 0 : errno;
        }
        if (!file_lock(writer->old_fd, true) ||
            fstat(writer->old_fd, &writer->old) != 0) {
            return errno;
        }
        if (is_still_there(writer)) {
            return 0;
        }
        fd_close(&writer->old_fd);
    }
}

static bool copy_bytes(int from, int to, int64_t size)
{
    char *buffer = xmalloc(COPY_STEP);
    int64_t offset = 0;
    bool ok = true;
    while (ok && offset < size) {
        ssize_t got = file_pread_all(from, buffer, COPY_STEP, offset);
        ok = got > 0 && file_pwrite_all(to, buffer, (size_t)got, offset);
        offset += got;
    }
    free(buffer);
    return ok;
}

/* --- the new file ------------------------------------------------------------ */

/* Beside the old file, or, when that directory is closed to us, where temporary files
 * go. */
static int create_temporary(struct db_writer *writer)
{
    /* A link that the administrator made stays: its target is what is replaced. */
    char *real = writer->old_fd >= 0 ? realpath(writer->path, NULL) : NULL;
    writer->target = real != NULL ? real : xstrdup(writer->path);
    writer->temporary = xasprintf("%s.XXXXXX", writer->target);
    int fd = mkostemp(writer->temporary, O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EPERM) && writer->old_fd >= 0) {
        writer->in_place = true;
        const char *directory = getenv("TMPDIR");
        free(writer->temporary);
        writer->temporary =
            xasprintf("%s/postmap.XXXXXX", directory != NULL ? directory : "/tmp");
        fd = mkostemp(writer->temporary, O_CLOEXEC);
    }
    if (fd < 0) {
        free(writer->temporary);
        writer->temporary = NULL;
    }
    return fd;
}

/* Mode and owner of the file that is replaced, else MODE as it stands. */
static bool set_rights(const struct db_writer *writer, int fd, mode_t mode)
{
    if (writer->in_place) {
        return true;
    }
    if (writer->old_fd < 0) {
        return fchmod(fd, mode) == 0;
    }
    bool same_owner =
        writer->old.st_uid == geteuid() && writer->old.st_gid == getegid();
    /* Without root the owner changes to the caller, as with any file that is replaced.
     */
    if (!same_owner && fchown(fd, writer->old.st_uid, writer->old.st_gid) != 0 &&
        geteuid() == 0) {
        return false;
    }
    return fchmod(fd, writer->old.st_mode & 0777) == 0;
}

static int prepare_temporary(struct db_writer *writer,
                             const struct db_writer_options *options)
{
    FD_AUTO int fd = create_temporary(writer);
    if (fd < 0 || !set_rights(writer, fd, options->mode)) {
        return errno;
    }
    if (options->incremental && writer->old_fd >= 0 &&
        !copy_bytes(writer->old_fd, fd, writer->old.st_size)) {
        return errno != 0 ? errno : EIO;
    }
    return 0;
}

/* Memory in proportion to the work; the table's size from the start, which saves the
 * library from splitting its buckets again and again. */
static void tune(DB *db, const struct conf *conf, enum db_kind kind,
                 uint64_t source_bytes)
{
    uint64_t cache = SMALL_CACHE + 4 * source_bytes;
    uint64_t usual = (uint64_t)conf_int(conf, P_berkeley_db_create_buffer_size);
    uint64_t most = usual > LARGE_CACHE ? usual : LARGE_CACHE;
    cache = cache < most ? cache : most;
    (void)db->set_cachesize(db, 0, (u_int32_t)cache, 0);
    if (kind == DB_KIND_HASH && source_bytes > SMALL_CACHE) {
        (void)db->set_h_nelem(db, (u_int32_t)(source_bytes / ENTRY_BYTES));
    }
}

static int open_new(struct db_writer *writer, const struct conf *conf,
                    enum db_kind kind, const struct db_writer_options *options)
{
    int code = db_create(&writer->db, NULL, 0);
    if (code != 0) {
        writer->db = NULL;
        return code;
    }
    writer->db->set_errfile(writer->db, NULL);
    tune(writer->db, conf, kind, options->source_bytes);
    bool has_content = options->incremental && writer->old_fd >= 0;
    return writer->db->open(writer->db, NULL, writer->temporary, NULL,
                            kind == DB_KIND_HASH ? DB_HASH : DB_BTREE,
                            has_content ? 0 : DB_CREATE | DB_TRUNCATE, 0);
}

struct db_writer *db_writer_open(const struct conf *conf, enum db_kind kind,
                                 const char *path,
                                 const struct db_writer_options *options,
                                 struct err *err)
{
    struct db_writer *writer = xcalloc(1, sizeof(*writer));
    writer->old_fd = -1;
    writer->with_nul = options->with_nul;
    writer->path = xasprintf("%s.db", path);
    int code = lock_old(writer);
    if (code == 0 && writer->old_fd < 0 && options->must_exist) {
        code = ENOENT;
    }
    if (code == 0) {
        code = prepare_temporary(writer, options);
    }
    if (code == 0) {
        code = open_new(writer, conf, kind, options);
    }
    if (code != 0) {
        fail(writer, "open database", code, err);
        db_writer_abort(&writer);
    }
    return writer;
}

const char *db_writer_path(const struct db_writer *writer)
{
    return writer->path;
}

/* --- entries ----------------------------------------------------------------- */

static DBT make_item(struct str *scratch, struct view bytes, bool with_nul)
{
    str_set(scratch, bytes);
    if (with_nul) {
        str_add_byte(scratch, '\0');
    }
    CHECK(str_ok(scratch) && scratch->len <= UINT32_MAX);
    return (DBT){.data = scratch->ptr, .size = (u_int32_t)scratch->len};
}

enum outcome db_writer_put(struct db_writer *writer, unsigned how, struct view key,
                           struct view value, bool *existed_out, struct err *err)
{
    bool with_nul = writer->with_nul && (how & DB_PUT_BARE) == 0;
    DBT key_item = make_item(&writer->key, key, with_nul);
    DBT value_item = make_item(&writer->value, value, with_nul);
    int code = writer->db->put(writer->db, NULL, &key_item, &value_item,
                               (how & DB_PUT_REPLACE) != 0 ? 0 : DB_NOOVERWRITE);
    *existed_out = code == DB_KEYEXIST;
    if (code != 0 && code != DB_KEYEXIST) {
        fail(writer, "error writing", code, err);
        return TEMPFAIL;
    }
    return OK;
}

enum outcome db_writer_delete(struct db_writer *writer, struct view key,
                              bool *existed_out, struct err *err)
{
    *existed_out = false;
    for (int with_nul = 1; with_nul >= 0; with_nul--) {
        DBT item = make_item(&writer->key, key, with_nul);
        int code = writer->db->del(writer->db, NULL, &item, 0);
        if (code == 0) {
            *existed_out = true;
        } else if (code != DB_NOTFOUND) {
            fail(writer, "error writing", code, err);
            return TEMPFAIL;
        }
    }
    return OK;
}

/* --- the end ----------------------------------------------------------------- */

static bool sync_directory(const char *path)
{
    char *directory = xstrdup(path);
    char *slash = strrchr(directory, '/');
    if (slash != NULL) {
        slash[slash == directory] = '\0';
    }
    FD_AUTO int fd =
        open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (fd < 0) {
        return errno == EACCES; /* it may be written, but not read */
    }
    return fsync(fd) == 0;
}

/* Overwrite the old file.  A crash in the middle leaves a table that cannot be read. */
static bool copy_over_old(const struct db_writer *writer)
{
    struct stat now;
    FD_AUTO int fd = open(writer->temporary, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &now) == 0 && ftruncate(writer->old_fd, 0) == 0 &&
           copy_bytes(fd, writer->old_fd, now.st_size) && fsync(writer->old_fd) == 0;
}

static bool take_place(const struct db_writer *writer)
{
    if (writer->in_place) {
        return copy_over_old(writer);
    }
    FD_AUTO int fd = open(writer->temporary, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0 || rename(writer->temporary, writer->target) != 0) {
        return false;
    }
    return sync_directory(writer->target);
}

enum outcome db_writer_commit(struct db_writer **writer, struct err *err)
{
    struct db_writer *self = *writer;
    int code = self->db->close(self->db, 0);
    self->db = NULL;
    if (code == 0 && !take_place(self)) {
        code = errno;
    }
    if (code != 0) {
        fail(self, "close database", code, err);
    } else if (!self->in_place) {
        free(self->temporary); /* it has another name now */
        self->temporary = NULL;
    }
    db_writer_abort(writer);
    return code == 0 ? OK : TEMPFAIL;
}

void db_writer_abort(struct db_writer **writer)
{
    struct db_writer *self = *writer;
    *writer = NULL;
    if (self == NULL) {
        return;
    }
    if (self->db != NULL) {
        (void)self->db->close(self->db, DB_NOSYNC);
    }
    if (self->temporary != NULL) {
        (void)unlink(self->temporary);
        free(self->temporary);
    }
    fd_close(&self->old_fd);
    free(self->target);
    str_done(&self->key);
    str_done(&self->value);
    free(self->path);
    free(self);
}
