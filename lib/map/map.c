/* SPDX-License-Identifier: MIT */
/*
 * Opening tables by name and looking things up in them, whatever their type.
 * A table that cannot be used is a table like any other to its users, one whose
 * lookups all fail: a daemon with a broken alias file defers mail, it does not
 * bounce it and does not stop.
 */
#include "map/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"
#include "map/fold.h"
#include "map/map_private.h"
#include "map/migration.h"
#include "map/module.h"
#include "map/proxy.h"

/* Tables that are open, so that two users of one table share it: its memory, and its
 * complaint when it cannot be opened.  One per process, as the files behind it are. */
static struct list open_maps = {&open_maps, &open_maps};
/* What kind of process this is: map_carry_blocking_types(). */
static bool carry_blocking_types;

void map_carry_blocking_types(void)
{
    carry_blocking_types = true;
}

/* --- opening ----------------------------------------------------------------- */

static void close_unusable(struct map *map)
{
    free(map);
}

/* Stands in for a table that could not be opened. */
static const struct map_type unusable_type = {.name = "", .close = close_unusable};

/* TYPE and NAME of "type:name"; a bare name is of the default type. */
static bool split_name(const struct conf *conf, struct view text, struct view *type_out,
                       struct view *name_out, struct err *err)
{
    size_t colon = view_index(text, ':');
    if (colon == text.len) {
        *type_out = view_cstr(conf_str(conf, P_default_database_type));
        *name_out = text;
    } else {
        *type_out = view_first(text, colon);
        *name_out = view_from(text, colon + 1);
    }
    if (type_out->len == 0 || name_out->len == 0) {
        (void)err_perm(err, "4.3.0",
                       "open dictionary: expecting \"type:name\" form instead of "
                       "\"%.*s:%.*s\"",
                       VIEW_ARG(*type_out), VIEW_ARG(*name_out));
        return false;
    }
    return true;
}

bool map_check_authentic(const struct map_spec *spec, struct err *err)
{
    if ((spec->flags & MAP_NO_UNAUTH) != 0) {
        (void)err_perm(err, "4.3.0",
                       "%s map is not allowed for security-sensitive data",
                       spec->title);
        return false;
    }
    return true;
}

/* What a table of TYPE would block this process with happens in proxymap. */
static struct map *open_carried(const struct map_spec *spec, struct err *err)
{
    const struct map_spec carried = {spec->conf, spec->title, spec->title, "proxy",
                                     spec->flags};
    return proxy_open_carried(&carried, err);
}

static struct map *open_here(const struct map_spec *spec, struct err *err)
{
    const struct map_type *type = map_type_find(view_cstr(spec->type));
    struct map *map = type != NULL ? type->open(spec, err) : map_module_open(spec, err);
    if (map != NULL) {
        map->type = type != NULL ? type : map->type;
    }
    return map;
}

/* Where it matters who answers, "proxy:" is left out: proxymap has not the rights for
 * that, but the same parameter may be of use to processes of both kinds. */
static bool is_for_authentic_use(const struct map_spec *spec)
{
    return strcmp(spec->type, "proxy") == 0 && (spec->flags & MAP_NO_UNAUTH) != 0;
}

static struct map *open_typed(const struct map_spec *spec, struct err *err);

static struct map *open_without_proxy(const struct map_spec *spec, struct err *err)
{
    struct view type;
    struct view name;
    if (!split_name(spec->conf, view_cstr(spec->name), &type, &name, err)) {
        return NULL;
    }
    struct map_spec inner = *spec;
    char *type_copy = xviewdup(migration_type(spec->conf, type));
    char *name_copy = xviewdup(name);
    inner.type = type_copy;
    inner.name = name_copy;
    struct map *map = open_typed(&inner, err);
    free(type_copy);
    free(name_copy);
    return map;
}

static struct map *open_typed(const struct map_spec *spec, struct err *err)
{
    if (is_for_authentic_use(spec)) {
        return open_without_proxy(spec, err);
    }
    struct view type = view_cstr(spec->type);
    bool carry = carry_blocking_types && map_type_blocks(type) &&
                 map_type_is_known(spec->conf, type);
    struct map *map = carry ? open_carried(spec, err) : open_here(spec, err);
    if (map == NULL) {
        return NULL;
    }
    map->properties |= map->type->properties;
    if ((spec->flags & MAP_WRITE) != 0 && map->type->put == NULL) {
        (void)err_perm(err, "4.3.0", "%s map requires O_RDONLY access mode",
                       spec->title);
        map->type->close(map);
        return NULL;
    }
    return map;
}

static struct map *make_unusable(const char *reason)
{
    struct map *map = xcalloc(1, sizeof(*map));
    map->type = &unusable_type;
    map->open_error = xstrdup(reason);
    return map;
}

static struct map *open_new(const struct conf *conf, struct view type_name,
                            struct view table_name, const char *title, unsigned flags)
{
    struct err err = {0};
    char *type = xviewdup(type_name);
    char *table = xviewdup(table_name);
    const struct map_spec spec = {conf, title, table, type, flags};
    struct map *map = open_typed(&spec, &err);
    free(type);
    free(table);
    CHECK(map != NULL || err.text[0] != '\0');
    return map != NULL ? map : make_unusable(err.text);
}

static struct map *find_open(const struct conf *conf, const char *title, unsigned flags)
{
    LIST_EACH(&open_maps, node)
    {
        struct map *map = LIST_ITEM(node, struct map, open_maps);
        if (map->conf == conf && map->flags == flags &&
            strcmp(map->title, title) == 0) {
            return map;
        }
    }
    return NULL;
}

/* Fill the common part of a new MAP; TITLE becomes its own. */
static void register_map(struct map *map, const struct conf *conf, char *title,
                         unsigned flags)
{
    map->conf = conf;
    map->title = title;
    map->flags = flags;
    map->users = 1;
    list_add_tail(&open_maps, &map->open_maps);
    if (map->open_error != NULL && (flags & MAP_QUIET) == 0) {
        log_error("%s", map->open_error);
    }
}

struct map *map_open(const struct conf *conf, struct view name, unsigned flags)
{
    CHECK(conf != NULL);
    struct err err = {0};
    struct view type, table, written = view_of("", 0);
    while ((flags & MAP_NO_PROXY) != 0 && view_starts(name, VIEW("proxy:"))) {
        name = view_from(name, VIEW("proxy:").len);
    }
    bool well_formed = split_name(conf, name, &type, &table, &err);
    if (well_formed) {
        written = type;
        type = migration_type(conf, written);
    }
    char *title = well_formed ? xasprintf("%.*s:%.*s", VIEW_ARG(type), VIEW_ARG(table))
                              : xviewdup(name);
    struct map *map = find_open(conf, title, flags);
    if (map != NULL) {
        map->users++;
        free(title);
        return map;
    }
    if (well_formed) {
        migration_prepare(conf, written, type, table);
    }
    map = well_formed ? open_new(conf, type, table, title, flags)
                      : make_unusable(err.text);
    register_map(map, conf, title, flags);
    return map;
}

void map_close(struct map **map)
{
    struct map *self = *map;
    *map = NULL;
    if (self == NULL || --self->users > 0) {
        return;
    }
    CHECK(self->type != NULL);
    list_remove(&self->open_maps);
    free(self->title);
    free(self->open_error);
    self->type->close(self);
}

/* --- looking up -------------------------------------------------------------- */

static bool is_encoded(const struct map *map)
{
    return (map->flags & MAP_FILE_VALUES) != 0 &&
           (map->properties & MAP_TYPE_LOADS) == 0;
}

static bool decode_value(const struct map *map, struct view key, struct str *value,
                         struct err *err)
{
    enum { SHOWN = 30 };
    STR_AUTO struct str encoded = *value;
    *value = (struct str){0};
    if (base64_decode(str_view(&encoded), value)) {
        return true;
    }
    log_warning("table %s: key %.*s: malformed BASE64 value: %.*s", map->title,
                VIEW_ARG(key), VIEW_ARG(view_first(str_view(&encoded), SHOWN)));
    (void)err_perm(err, "4.3.0", "malformed BASE64 value");
    return false;
}

static bool is_usable(const struct map *map, struct err *err)
{
    if (map->open_error != NULL) {
        log_warning("%s is unavailable. %s", map->title, map->open_error);
        (void)err_temp(err, "4.3.0", "%s", map->open_error);
        return false;
    }
    return true;
}

/* KEY as the table knows it.  SCRATCH is not in MAP: a lookup may wait, others come. */
static struct view stored_key(const struct map *map, struct view key,
                              struct str *scratch)
{
    if ((map->flags & MAP_FOLD) == 0 || (map->properties & MAP_TYPE_FOLDS) == 0 ||
        !fold_is_needed(key)) {
        return key;
    }
    fold_key(key, fold_utf8_wanted(map->conf, map->flags), scratch);
    return str_view(scratch);
}

enum map_result map_find(struct map *map, struct view key, struct str *value_out,
                         struct err *err)
{
    STR_AUTO struct str scratch = {0};
    str_clear(value_out);
    map->origin_line = 0;
    if (!is_usable(map, err)) {
        return MAP_ERROR;
    }
    key = stored_key(map, key, &scratch);
    enum map_result result = map->type->find(map, key, value_out, err);
    if (result == MAP_FOUND && is_encoded(map) &&
        !decode_value(map, key, value_out, err)) {
        return MAP_ERROR;
    }
    if (result == MAP_FOUND && !str_ok(value_out)) {
        (void)err_temp(err, "4.3.0", "%s: result is too long", map->title);
        return MAP_ERROR;
    }
    return result;
}

/* Hands decoded values on. */
struct decoder {
    const struct map *map;
    bool (*visit)(void *context, struct view key, struct view value);
    void *context;
    struct err *err;
    bool failed;
};

static bool visit_decoded(void *context, struct view key, struct view value)
{
    struct decoder *decoder = context;
    STR_AUTO struct str content = {0};
    str_add(&content, value);
    if (!decode_value(decoder->map, key, &content, decoder->err)) {
        decoder->failed = true;
        return false;
    }
    return decoder->visit(decoder->context, key, str_view(&content));
}

enum outcome map_walk(struct map *map,
                      bool (*visit)(void *context, struct view key, struct view value),
                      void *context, struct err *err)
{
    if (map->open_error != NULL) {
        return err_perm(err, "4.3.0", "%s", map->open_error);
    }
    if (map->type->walk == NULL) {
        return err_perm(err, "4.3.0", "table %s: sequence operation is not supported",
                        map->title);
    }
    if (!is_encoded(map)) {
        return map->type->walk(map, visit, context, err);
    }
    struct decoder decoder = {map, visit, context, err, false};
    enum outcome outcome = map->type->walk(map, visit_decoded, &decoder, err);
    return decoder.failed ? PERMFAIL : outcome;
}

enum outcome map_put(struct map *map, struct view key, struct view value,
                     struct err *err)
{
    CHECK((map->flags & MAP_WRITE) != 0);
    STR_AUTO struct str scratch = {0};
    return is_usable(map, err)
               ? map->type->put(map, stored_key(map, key, &scratch), value, err)
               : TEMPFAIL;
}

enum map_result map_remove(struct map *map, struct view key, struct err *err)
{
    CHECK((map->flags & MAP_WRITE) != 0);
    STR_AUTO struct str scratch = {0};
    return is_usable(map, err)
               ? map->type->remove(map, stored_key(map, key, &scratch), err)
               : MAP_ERROR;
}

/* --- facts ------------------------------------------------------------------- */

const char *map_name(const struct map *map)
{
    return map->title;
}

const char *map_open_error(const struct map *map)
{
    return map->open_error;
}

uid_t map_owner(const struct map *map)
{
    return map->owner;
}

bool map_is_pattern(const struct map *map)
{
    return (map->properties & MAP_TYPE_PATTERN) != 0;
}

/* Flags in Postfix's spelling, for the line that log readers know. */
static void describe_flags(const struct map *map, struct str *out)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{MAP_NO_REGSUB, "|no_regsub"},
                 {MAP_NO_UNAUTH, "|no_proxy|no_unauth"},
                 {MAP_FOLD, "|fold_fix"}};
    str_add_cstr(out, "lock");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        str_add_cstr(out, (map->flags & names[i].flag) != 0 ? names[i].name : "");
    }
    str_add_cstr(out, fold_utf8_wanted(map->conf, map->flags) ? "|utf8_request" : "");
}

static void log_change(const struct map *map, const char *consequence)
{
    STR_AUTO struct str flags = {0};
    describe_flags(map, &flags);
    log_info("table %s(0,%s) has changed -- %s", map->title, str_ptr(&flags),
             consequence);
}

void map_log_reopened(const struct map *map)
{
    log_change(map, "reopened");
}

bool map_changed(struct map *map)
{
    if (map->type->changed == NULL || !map->type->changed(map)) {
        return false;
    }
    if (!map->change_logged) {
        map->change_logged = true;
        log_change(map, "restarting");
    }
    return true;
}

struct map_origin map_last_origin(const struct map *map)
{
    bool known = map->origin_line > 0;
    return (struct map_origin){known ? map->origin_file : NULL, map->origin_line};
}

/* --- for the types ----------------------------------------------------------- */

bool map_unbrace(struct view text, struct view *inner_out, struct err *err)
{
    text = view_trim(text);
    if (text.len == 0 || text.ptr[0] != '{') {
        (void)err_perm(err, "4.3.0", "no '{' at start of text in \"%.*s\"",
                       VIEW_ARG(text));
        return false;
    }
    size_t depth = 0, end = 0;
    do {
        if (text.ptr[end] == '{') {
            depth++;
        } else if (text.ptr[end] == '}') {
            depth--;
        }
        end++;
    } while (depth > 0 && end < text.len);
    if (depth > 0) {
        (void)err_perm(err, "4.3.0", "missing '}' in \"%.*s\"", VIEW_ARG(text));
        return false;
    }
    if (end < text.len) {
        (void)err_perm(err, "4.3.0", "syntax error after '}' in \"%.*s\"",
                       VIEW_ARG(text));
        return false;
    }
    *inner_out = view_trim(view_of(text.ptr + 1, text.len - 2));
    return true;
}
