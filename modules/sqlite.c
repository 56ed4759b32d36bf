/* SPDX-License-Identifier: MIT */
/* sqlite: tables (sqlite_table(5)). */
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "map/module.h"
#include "modules/sql.h"
#include "sys/clock.h"

MAP_MODULE;

/* Steps of the database engine between two looks at the clock. */
enum { STEPS_PER_LOOK = 10000 };

struct sqlite_map {
    struct sql_map sql;
    const char *path;
    sqlite3 *db;
    struct stat opened;
    int64_t deadline; /* of the lookup under way */
};

/* --- lookups ----------------------------------------------------------------- */

/* Inside '...' the quote is the only byte that means something. */
static bool quote(void *context, struct view raw, struct str *out)
{
    (void)context;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '\'') {
            str_add_byte(out, '\'');
        }
        str_add_byte(out, raw.ptr[i]);
    }
    return true;
}

static int is_late(void *context)
{
    const struct sqlite_map *self = context;
    return clock_now() > self->deadline;
}

static enum map_result fail(const struct sqlite_map *self, const char *what,
                            struct err *err)
{
    (void)err_temp(err, "4.3.0", "SQL %s failed: %s", what, sqlite3_errmsg(self->db));
    log_warning("%s: %s", self->sql.map.title, err->text);
    return MAP_ERROR;
}

/* The first column of every row. */
static enum map_result read_rows(struct sqlite_map *self, sqlite3_stmt *statement,
                                 struct map_answer *answer, struct err *err)
{
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (sqlite3_column_type(statement, 0) == SQLITE_NULL) {
            continue;
        }
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        int len = sqlite3_column_bytes(statement, 0);
        if (text == NULL) {
            return fail(self, "step", err);
        }
        if (!sql_add(&self->sql, answer, view_of(text, (size_t)len), err)) {
            return MAP_ERROR;
        }
    }
    if (code != SQLITE_DONE) {
        return fail(self, "step", err);
    }
    return answer->count > 0 ? MAP_FOUND : MAP_MISSING;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct sqlite_map *self = (struct sqlite_map *)map;
    STR_AUTO struct str query = {0};
    struct map_key parts;
    enum map_result result = sql_admits(&self->sql, key, &parts, err);
    if (result != MAP_FOUND) {
        return result;
    }
    if (!map_format_fill(self->sql.text, &parts, quote, NULL, &query) ||
        query.len > INT_MAX) {
        return MAP_MISSING;
    }
    self->deadline = clock_now() + self->sql.timeout;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(self->db, str_ptr(&query), (int)query.len, &statement,
                           NULL) != SQLITE_OK ||
        statement == NULL) {
        return fail(self, "prepare", err);
    }
    struct map_answer answer = {.key = &parts, .text = value_out};
    result = read_rows(self, statement, &answer, err);
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    return result;
}

/* Another file has the name. */
static bool changed(struct map *map)
{
    const struct sqlite_map *self = (const struct sqlite_map *)map;
    struct stat now;
    return stat(self->path, &now) == 0 &&
           (now.st_dev != self->opened.st_dev || now.st_ino != self->opened.st_ino);
}

/* --- opening ----------------------------------------------------------------- */

static void close_map(struct map *map)
{
    struct sqlite_map *self = (struct sqlite_map *)map;
    (void)sqlite3_close(self->db); /* no statement is left */
    sql_done(&self->sql);
    free(self);
}

static bool open_database(struct sqlite_map *self, struct err *err)
{
    const char *problem = NULL;
    if (sqlite3_open_v2(self->path, &self->db, SQLITE_OPEN_READONLY, NULL) !=
        SQLITE_OK) {
        problem = self->db != NULL ? sqlite3_errmsg(self->db) : "out of memory";
    } else if (stat(self->path, &self->opened) != 0) {
        problem = "it is gone";
    }
    if (problem != NULL) {
        (void)err_temp(err, "4.3.0", "%s: Can't open database: %s: %s",
                       map_settings_title(self->sql.settings), self->path, problem);
        return false;
    }
    (void)sqlite3_busy_timeout(self->db, (int)(self->sql.timeout / CLOCK_MILLISECOND));
    sqlite3_progress_handler(self->db, STEPS_PER_LOOK, is_late, self);
    return true;
}

static const struct map_type sqlite_type = {.name = "sqlite",
                                            .properties =
                                                MAP_TYPE_FOLDS | MAP_TYPE_BLOCKS,
                                            .close = close_map,
                                            .find = find,
                                            .changed = changed};

map_module_open_function dict_sqlite_open;

struct map *dict_sqlite_open(const struct map_spec *spec, struct err *err)
{
    struct map_settings *settings = map_settings_open(spec, err);
    if (settings == NULL) {
        return NULL;
    }
    struct sqlite_map *self = xcalloc(1, sizeof(*self));
    self->sql.settings = settings;
    self->sql.map.type = &sqlite_type;
    self->path = map_settings_need(settings, "dbpath");
    sql_init(&self->sql, spec, "sqlite", 0);
    if (!map_settings_ok(settings, err) || !open_database(self, err)) {
        close_map(&self->sql.map);
        return NULL;
    }
    return &self->sql.map;
}
