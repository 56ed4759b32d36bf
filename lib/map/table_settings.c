/* SPDX-License-Identifier: MIT */
/* The parameters of a table, from a file of its own or from main.cf. */
#include "map/table_settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/htab.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/logical_line.h"
#include "sys/file.h"

enum { FILE_MAX = 1024 * 1024 };

struct setting {
    char *value;
    int line;
    bool used;
};

struct map_settings {
    const struct conf *conf;
    char *title;          /* the file, or the word in front of "_parameter" */
    struct htab *entries; /* of the file: name to struct setting; NULL: main.cf */
    uid_t owner;
    char *mistake; /* the first one */
};

/* --- the file ---------------------------------------------------------------- */

static void free_setting(void *value)
{
    struct setting *setting = value;
    free(setting->value);
    free(setting);
}

static bool take_line(struct map_settings *settings, int number, struct view line,
                      struct err *err)
{
    size_t equals = view_index(line, '=');
    struct view name = view_trim(view_first(line, equals));
    if (line.len > 0 && ascii_space(line.ptr[0])) {
        (void)err_perm(err, "4.3.0",
                       "%s, line %d: logical line must not start with whitespace: "
                       "\"%.*s\"",
                       settings->title, number, VIEW_ARG(view_first(line, 100)));
        return false;
    }
    if (equals == line.len || name.len == 0) {
        (void)err_perm(err, "4.3.0", "%s, line %d: %s: \"%.*s\"", settings->title,
                       number,
                       name.len == 0 ? "missing attribute name"
                                     : "missing '=' after attribute name",
                       VIEW_ARG(view_first(line, 100)));
        return false;
    }
    struct setting *setting = xcalloc(1, sizeof(*setting));
    setting->value = xviewdup(view_trim(view_from(line, equals + 1)));
    setting->line = number;
    struct setting *before = htab_put(settings->entries, name, setting);
    if (before != NULL) {
        log_warning("%s, line %d: overriding earlier entry: %.*s=%s", settings->title,
                    number, VIEW_ARG(name), before->value);
        free_setting(before);
    }
    return true;
}

static bool read_entries(struct map_settings *settings, struct err *err)
{
    STR_AUTO struct str text = {0};
    struct stat st;
    if (file_read(settings->title, FILE_MAX, &text, err) != OK) {
        return false;
    }
    if (stat(settings->title, &st) == 0) {
        settings->owner = st.st_uid;
    }
    struct logical_line reader = {.rest = str_view(&text)};
    bool ok = true;
    while (ok && logical_line_next(&reader)) {
        ok = take_line(settings, reader.line, str_view(&reader.text), err);
    }
    logical_line_done(&reader);
    return ok;
}

struct map_settings *map_settings_open(const struct map_spec *spec, struct err *err)
{
    struct map_settings *settings = xcalloc(1, sizeof(*settings));
    settings->conf = spec->conf;
    settings->title = xstrdup(spec->name);
    if (spec->name[0] == '/' || spec->name[0] == '.') {
        settings->entries = htab_new();
        if (!read_entries(settings, err)) {
            map_settings_close(&settings);
        }
    }
    return settings;
}

void map_settings_close(struct map_settings **settings)
{
    struct map_settings *self = *settings;
    *settings = NULL;
    if (self == NULL) {
        return;
    }
    if (self->entries != NULL) {
        htab_free(&self->entries, free_setting);
    }
    free(self->title);
    free(self->mistake);
    free(self);
}

const char *map_settings_title(const struct map_settings *settings)
{
    return settings->title;
}

uid_t map_settings_owner(const struct map_settings *settings)
{
    return settings->owner;
}

/* --- values ------------------------------------------------------------------ */

void map_settings_fail(struct map_settings *settings, const char *format, ...)
{
    if (settings->mistake != NULL) {
        return;
    }
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    settings->mistake = str_steal(&text);
}

/* In the form that Postfix's users know: "FILE: bad ...: name = value", and for main.cf
 * "bad ...: WORD_name = value". */
static void fail_value(struct map_settings *settings, const char *what,
                       const char *name, const char *value)
{
    if (settings->entries != NULL) {
        map_settings_fail(settings, "%s: %s: %s = %s", settings->title, what, name,
                          value);
    } else {
        map_settings_fail(settings, "%s: %s_%s = %s", what, settings->title, name,
                          value);
    }
}

static const char *look_up(struct map_settings *settings, const char *name)
{
    if (settings->entries != NULL) {
        struct setting *setting = htab_get(settings->entries, view_cstr(name));
        if (setting != NULL) {
            setting->used = true;
        }
        return setting != NULL ? setting->value : NULL;
    }
    char *full = xasprintf("%s_%s", settings->title, name);
    const char *value = conf_lookup(settings->conf, full);
    free(full);
    return value;
}

bool map_settings_is_set(struct map_settings *settings, const char *name)
{
    return look_up(settings, name) != NULL;
}

const char *map_settings_str(struct map_settings *settings, const char *name,
                             const char *fallback)
{
    const char *value = look_up(settings, name);
    return value != NULL ? value : fallback;
}

const char *map_settings_need(struct map_settings *settings, const char *name)
{
    const char *value = map_settings_str(settings, name, "");
    if (value[0] == '\0') {
        fail_value(settings, "bad string length 0 < 1", name, value);
    }
    return value;
}

int map_settings_int(struct map_settings *settings, const char *name, int fallback,
                     int min, int max)
{
    const char *text = look_up(settings, name);
    int64_t value = fallback;
    if (text != NULL &&
        !number_parse_i64(view_cstr(text), INT32_MIN, INT32_MAX, &value)) {
        fail_value(settings, "bad numerical configuration", name, text);
        return fallback;
    }
    if (value < min || value > max) {
        fail_value(settings,
                   value < min ? "invalid parameter value, too small"
                               : "invalid parameter value, too large",
                   name, text != NULL ? text : "");
        return fallback;
    }
    return (int)value;
}

bool map_settings_bool(struct map_settings *settings, const char *name, bool fallback)
{
    const char *text = look_up(settings, name);
    if (text == NULL) {
        return fallback;
    }
    bool yes = view_equal_nocase_cstr(view_cstr(text), "yes");
    if (!yes && !view_equal_nocase_cstr(view_cstr(text), "no")) {
        fail_value(settings, "bad boolean configuration", name, text);
    }
    return yes;
}

/* A misspelt name would otherwise be a default that nobody wanted. */
static void warn_unused(const struct map_settings *settings)
{
    size_t cursor = 0;
    struct view name;
    void *value = NULL;
    while (htab_next(settings->entries, &cursor, &name, &value)) {
        const struct setting *setting = value;
        if (!setting->used) {
            log_warning("%s, line %d: unused parameter: %.*s", settings->title,
                        setting->line, VIEW_ARG(name));
        }
    }
}

bool map_settings_ok(struct map_settings *settings, struct err *err)
{
    if (settings->mistake != NULL) {
        (void)err_perm(err, "4.3.0", "%s", settings->mistake);
        return false;
    }
    if (settings->entries != NULL) {
        warn_unused(settings);
    }
    return true;
}
