/* SPDX-License-Identifier: MIT */
#include "map/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/map_private.h"
#include "map/module.h"

/* --- types ------------------------------------------------------------------- */

/* The type's constructor; NULL: there is none. */
static map_writer_new_function *find_new(const struct conf *conf, struct view type)
{
    const struct map_type *row = map_type_find(type);
    return row != NULL ? row->new_writer : map_module_new_writer(conf, type);
}

static bool refuse(const struct conf *conf, struct view type, struct err *err)
{
    bool known = map_type_is_known(conf, type);
    (void)err_perm(err, "4.3.0", "unsupported dictionary type: %.*s%s", VIEW_ARG(type),
                   known ? " does not support bulk-mode creation." : "");
    return false;
}

bool map_writer_supports(const struct conf *conf, struct view type, struct err *err)
{
    return find_new(conf, type) != NULL || refuse(conf, type, err);
}

/* --- open and end ------------------------------------------------------------ */

static enum outcome fail(const struct map_writer *writer, const char *verb,
                         const char *reason, struct err *err)
{
    return err_temp(err, "4.3.0", "%s %s: %s", verb, writer->file.path, reason);
}

static char *make_name(const struct map_writer *writer,
                       const struct map_writer_spec *spec)
{
    switch (writer->type->name) {
    case MAP_NAME_TITLE:
        return xasprintf("%s:%s", spec->type, spec->path);
    case MAP_NAME_SOURCE:
        return xstrdup(spec->path);
    case MAP_NAME_FILE:
        break;
    }
    return xasprintf("%s%s", spec->path, writer->type->suffix);
}

static bool prepare(struct map_writer *writer, const struct map_writer_spec *spec)
{
    const struct map_writer_options *options = spec->options;
    const struct replacement_options wanted = {
        .keep_content = options->incremental && !writer->type->copies_entries,
        .must_exist = options->must_exist,
        .mode = options->mode,
    };
    enum map_writer_nul nul = options->nul;
    writer->with_nul =
        (nul == MAP_NUL_DEFAULT ? writer->type->nul : nul) == MAP_NUL_ADD;
    writer->name = make_name(writer, spec);
    int code = replacement_begin(
        &writer->file, xasprintf("%s%s", spec->path, writer->type->suffix), &wanted);
    if (code != 0) {
        writer->reason = strerror(code);
        return false;
    }
    return writer->type->open(writer, spec);
}

struct map_writer *map_writer_open(const struct conf *conf, const char *type,
                                   const char *path,
                                   const struct map_writer_options *options,
                                   struct err *err)
{
    const struct map_writer_spec spec = {conf, type, path, options};
    map_writer_new_function *make = find_new(conf, view_cstr(type));
    if (make == NULL) {
        (void)refuse(conf, view_cstr(type), err);
        return NULL;
    }
    struct map_writer *writer = make();
    CHECK(writer->type != NULL);
    if (!prepare(writer, &spec)) {
        (void)fail(writer, "open database", writer->reason, err);
        map_writer_abort(&writer);
    }
    return writer;
}

const char *map_writer_name(const struct map_writer *writer)
{
    return writer->name;
}

const char *map_writer_path(const struct map_writer *writer)
{
    return writer->file.path;
}

enum outcome map_writer_commit(struct map_writer **writer, struct err *err)
{
    struct map_writer *self = *writer;
    enum outcome outcome = OK;
    if (!self->type->finish(self)) {
        outcome = fail(self, "close database", self->reason, err);
    } else {
        int code = replacement_commit(&self->file);
        if (code != 0) {
            outcome = fail(self, "close database", strerror(code), err);
        }
    }
    map_writer_abort(writer);
    return outcome;
}

void map_writer_abort(struct map_writer **writer)
{
    struct map_writer *self = *writer;
    *writer = NULL;
    if (self == NULL) {
        return;
    }
    self->type->done(self);
    replacement_abort(&self->file);
    str_done(&self->key);
    str_done(&self->value);
    free(self->name);
    free(self);
}

/* --- entries ----------------------------------------------------------------- */

static struct view make_item(struct str *scratch, struct view bytes, bool with_nul)
{
    if (!with_nul) {
        return bytes;
    }
    str_set(scratch, bytes);
    str_add_byte(scratch, '\0');
    CHECK(str_ok(scratch));
    return str_view(scratch);
}

enum outcome map_writer_put(struct map_writer *writer, unsigned how, struct view key,
                            struct view value, bool *existed_out, struct err *err)
{
    bool with_nul = writer->with_nul && (how & MAP_PUT_BARE) == 0;
    *existed_out = false;
    if (!writer->type->put(writer, (how & MAP_PUT_REPLACE) != 0,
                           make_item(&writer->key, key, with_nul),
                           make_item(&writer->value, value, with_nul), existed_out)) {
        return fail(writer, "error writing", writer->reason, err);
    }
    return OK;
}

enum outcome map_writer_delete(struct map_writer *writer, struct view key,
                               bool *existed_out, struct err *err)
{
    *existed_out = false;
    for (int with_nul = 1; with_nul >= 0; with_nul--) {
        bool existed = false;
        if (!writer->type->remove(writer, make_item(&writer->key, key, with_nul),
                                  &existed)) {
            return fail(writer, "error writing", writer->reason, err);
        }
        *existed_out = *existed_out || existed;
    }
    return OK;
}
