/* SPDX-License-Identifier: MIT */
/*
 * A configuration in memory: opening, settings, and names by which values are found.
 * Settings are text until somebody asks; conf_value.c turns them into values.
 */
#include "conf/conf.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "conf/build_paths.h"
#include "conf/conf_private.h"
#include "sys/file.h"

enum { MAIN_CF_MOST = 16 * 1024 * 1024 };

static struct conf *new_conf(const char *directory)
{
    struct conf *conf = xcalloc(1, sizeof(*conf));
    conf->directory = xstrdup(directory != NULL ? directory : BUILD_CONFIG_DIRECTORY);
    conf->file = xasprintf("%s/main.cf", conf->directory);
    conf->settings = htab_new();
    conf->others = htab_new();
    conf->arena = xcalloc(1, sizeof(*conf->arena));
    conf->values = xcalloc(PARAM_COUNT, sizeof(conf->values[0]));
    conf->computed = xcalloc(PARAM_COUNT, sizeof(conf->computed[0]));
    return conf;
}

void conf_free(struct conf **conf)
{
    struct conf *c = *conf;
    if (c == NULL) {
        return;
    }
    htab_free(&c->settings, NULL);
    htab_free(&c->others, NULL);
    arena_clear(c->arena);
    free(c->arena);
    free(c->order);
    free(c->values);
    free(c->computed);
    str_done(&c->text);
    free(c->directory);
    free(c->file);
    free(c);
    *conf = NULL;
}

/* The directory itself is a setting: it came from -c or the environment. */
static struct conf *finish(struct conf *conf, bool warn, struct err *err)
{
    if (conf_parse(conf, warn, err) != OK) {
        conf_free(&conf);
        return NULL;
    }
    (void)conf_put(conf, VIEW("config_directory"), view_cstr(conf->directory), 0);
    return conf;
}

struct conf *conf_open(const char *directory, bool warn, struct err *err)
{
    if (directory == NULL) {
        directory = getenv("MAIL_CONFIG");
    }
    struct conf *conf = new_conf(directory);
    if (file_read(conf->file, MAIN_CF_MOST, &conf->text, err) != OK) {
        conf_free(&conf);
        return NULL;
    }
    return finish(conf, warn, err);
}

struct conf *conf_open_snapshot(int fd, const char *directory, struct err *err)
{
    struct stat st;
    struct conf *conf = new_conf(directory);
    char *place = NULL;
    if (fstat(fd, &st) == 0 && st.st_size <= MAIN_CF_MOST) {
        place = str_reserve(&conf->text, (size_t)st.st_size);
    }
    ssize_t got = place != NULL ? file_pread_all(fd, place, (size_t)st.st_size, 0) : -1;
    if (got < 0) {
        (void)err_temp(err, "4.3.0", "read snapshot of %s: %m", conf->file);
        conf_free(&conf);
        return NULL;
    }
    str_commit(&conf->text, (size_t)got);
    return finish(conf, false, err);
}

struct conf *conf_open_text(const char *directory, const char *text, struct err *err)
{
    struct conf *conf = new_conf(directory);
    str_set_cstr(&conf->text, text != NULL ? text : "");
    return finish(conf, false, err);
}

/* --- settings --------------------------------------------------------------------- */

const struct conf_setting *conf_put(struct conf *conf, struct view name,
                                    struct view value, int line)
{
    CHECK(name.len > 0 && line >= 0);
    struct conf_setting *setting = arena_alloc(conf->arena, sizeof(*setting));
    setting->name = arena_cstr(conf->arena, name);
    setting->value = arena_cstr(conf->arena, value);
    setting->line = line;
    free(conf->order);
    conf->order = NULL;
    return htab_put(conf->settings, name, setting);
}

void conf_override(struct conf *conf, const char *name, const char *value)
{
    /* What was computed from other settings would no longer hold. */
    CHECK(!conf->asked);
    (void)conf_put(conf, view_cstr(name), view_cstr(value), 0);
}

static int compare_settings(const void *a, const void *b)
{
    const struct conf_setting *const *left = a;
    const struct conf_setting *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

/* Behind a const configuration: the order is only another view of the same settings. */
static void sort_settings(struct conf *conf)
{
    size_t cursor = 0;
    struct view name;
    void *setting;
    conf->order_count = 0;
    conf->order =
        xreallocarray(NULL, htab_count(conf->settings) + 1, sizeof(conf->order[0]));
    while (htab_next(conf->settings, &cursor, &name, &setting)) {
        conf->order[conf->order_count++] = setting;
    }
    qsort(conf->order, conf->order_count, sizeof(conf->order[0]), compare_settings);
}

const struct conf_setting *conf_next_setting(const struct conf *conf, size_t *cursor)
{
    if (conf->order == NULL) {
        sort_settings((struct conf *)(uintptr_t)conf);
    }
    return *cursor < conf->order_count ? conf->order[(*cursor)++] : NULL;
}

const struct conf_setting *conf_find_setting(const struct conf *conf, struct view name)
{
    return htab_get(conf->settings, name);
}

bool conf_is_set(const struct conf *conf, const char *name)
{
    return conf_find_setting(conf, view_cstr(name)) != NULL;
}

const char *conf_written(const struct conf *conf, enum param param)
{
    const struct conf_setting *setting =
        conf_find_setting(conf, view_cstr(param_row(param)->name));
    return setting != NULL ? setting->value : conf_default(conf, param);
}

const char *conf_find_written(const struct conf *conf, const char *name)
{
    enum param param;
    const struct conf_setting *setting = conf_find_setting(conf, view_cstr(name));
    if (setting != NULL) {
        return setting->value;
    }
    return param_find(view_cstr(name), &param) ? conf_default(conf, param) : NULL;
}

struct view conf_text(const struct conf *conf)
{
    return str_view(&conf->text);
}

const char *conf_directory(const struct conf *conf)
{
    return conf->directory;
}

const char *conf_file(const struct conf *conf)
{
    return conf->file;
}
