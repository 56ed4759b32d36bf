/* SPDX-License-Identifier: MIT */
/*
 * Building and changing the files of indexed tables.
 *
 * Root works on a file with the rights of the one who owns its source, so that a link
 * planted in that user's directory leads nowhere that the user could not go.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"
#include "map/file_value.h"
#include "map/fold.h"
#include "map/map.h"
#include "map/migration.h"
#include "map/source.h"
#include "postmap/alias_source.h"
#include "postmap/postmap.h"
#include "postmap/stream.h"
#include "sys/privilege.h"
#include "sys/progress.h"

enum { DEFAULT_MODE = 0644, CREATION_MASK = 022 };

/* --- names of tables --------------------------------------------------------- */

struct table_name table_name_parse(const struct conf *conf, const char *argument)
{
    const char *colon = strchr(argument, ':');
    struct table_name name;
    struct view type;
    if (colon == NULL) {
        type = view_cstr(conf_str(conf, P_default_database_type));
        name.path = xstrdup(argument);
    } else {
        type = view_of(argument, (size_t)(colon - argument));
        name.path = xstrdup(colon + 1);
    }
    name.type = xviewdup(migration_type(conf, type));
    return name;
}

void table_name_done(struct table_name *name)
{
    free(name->type);
    free(name->path);
}

/* Ends the program when tables of this type have no file that can be changed. */
static void need_writer(const struct conf *conf, const struct table_name *name,
                        bool change)
{
    struct err err;
    if (map_writer_supports(conf, view_cstr(name->type), &err)) {
        return;
    }
    if (change && map_type_is_known(conf, view_cstr(name->type))) {
        log_fatal("%s:%s map requires O_RDONLY access mode", name->type, name->path);
    }
    log_fatal("%s", err.text);
}

/* --- rights ------------------------------------------------------------------ */

/* Take on the rights of the owner of PATH, if that is somebody else. */
static bool lower_rights(const struct options *options, const char *path)
{
    struct stat st;
    struct err err = {0};
    if (options->keep_root || geteuid() != 0 || stat(path, &st) != 0 ||
        st.st_uid == 0) {
        return false;
    }
    const struct privilege_user user = {.uid = st.st_uid, .gid = st.st_gid};
    if (privilege_lower(&user, &err) != OK) {
        log_fatal("%s", err.text);
    }
    return true;
}

static void restore_rights(bool lowered)
{
    if (lowered && !privilege_raise()) {
        log_fatal("regain root privileges: %m");
    }
}

/* --- entries ----------------------------------------------------------------- */

struct update {
    const struct options *options;
    const struct conf *conf;
    struct map_writer *writer;
    struct source source;
    struct str name, value, folded, content;
    struct progress progress;
    uint64_t source_bytes; /* 0: not known */
};

static struct view stored_key(const struct options *options, const struct conf *conf,
                              struct view key, struct str *scratch)
{
    if (options->no_fold || !fold_is_needed(key)) {
        return key;
    }
    fold_key(key, fold_utf8_wanted(conf, options->fold_flags), scratch);
    return str_view(scratch);
}

/* A file that was not finished must not stay behind. */
static void die(struct update *update, const struct err *err)
{
    map_writer_abort(&update->writer);
    log_fatal("%s", err->text);
}

static void put(struct update *update, unsigned how, struct view key, struct view value)
{
    struct err err = {0};
    bool existed;
    key = stored_key(update->options, update->conf, key, &update->folded);
    if (map_writer_put(update->writer, how, key, value, &existed, &err) != OK) {
        die(update, &err);
    }
    if (existed && update->options->duplicates == DUPLICATES_WARN) {
        log_warning("%s: duplicate entry: \"%.*s\"", map_writer_name(update->writer),
                    VIEW_ARG(key));
    }
}

static bool parse_entry(struct update *update, int number, struct view line,
                        struct view *key, struct view *value)
{
    if (!update->options->aliases) {
        return source_split_entry(&update->source, number, line, "", key, value);
    }
    const char *problem = alias_parse(line, &update->name, &update->value);
    if (problem != NULL) {
        log_warning("%s, line %d: %s", update->source.title, number, problem);
        return false;
    }
    *key = str_view(&update->name);
    *value = str_view(&update->value);
    return true;
}

/* -F: VALUE becomes what the files that it names hold, encoded. */
static bool load_value(struct update *update, int number, struct view *value)
{
    if (!update->options->file_values) {
        return true;
    }
    struct err err;
    STR_AUTO struct str content = {0};
    if (file_value_load(*value, &content, &err) != OK) {
        log_warning("%s, line %d: %s: skipping this entry", update->source.title,
                    number, err.text);
        return false;
    }
    str_clear(&update->content);
    base64_encode(str_view(&content), &update->content);
    *value = str_view(&update->content);
    return true;
}

/* Signal handlers get no context. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* A half-built file must not stay behind.  Reading from a terminal is interrupted. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = on_signal};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        CHECK(sigaction(numbers[i], &action, NULL) == 0);
    }
}

static void put_entries(struct update *update)
{
    unsigned how =
        update->options->duplicates == DUPLICATES_REPLACE ? MAP_PUT_REPLACE : 0;
    struct view line, key, value;
    int number;
    while (interrupted == 0 && source_next(&update->source, &line, &number)) {
        if (parse_entry(update, number, line, &key, &value) &&
            load_value(update, number, &value)) {
            put(update, how, key, value);
        }
        progress_step(&update->progress, source_position(&update->source),
                      update->source_bytes);
    }
    progress_end(&update->progress);
    if (interrupted != 0) {
        STR_AUTO struct str path = {0};
        str_add_cstr(&path, map_writer_path(update->writer));
        map_writer_abort(&update->writer);
        log_fatal("interrupted: %s is as it was", str_ptr(&path));
    }
    if (source_failed(&update->source)) {
        struct err err = {0};
        (void)err_temp(&err, "4.3.0", "read %s: %m", update->source.title);
        die(update, &err);
    }
}

/* What sendmail's programs look for in an alias file to know that it is complete. */
static void put_alias_marks(struct update *update)
{
    char now[32];
    (void)snprintf(now, sizeof(now), "%lld", (long long)time(NULL));
    struct err err = {0};
    bool existed;
    const struct {
        const char *key, *value;
        unsigned how;
    } marks[] = {
        {"@", "@", MAP_PUT_REPLACE},
        {"YP_LAST_MODIFIED", now, MAP_PUT_REPLACE | MAP_PUT_BARE},
        {"YP_MASTER_NAME", conf_str(update->conf, P_myhostname),
         MAP_PUT_REPLACE | MAP_PUT_BARE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        if (map_writer_put(update->writer, marks[i].how, view_cstr(marks[i].key),
                           view_cstr(marks[i].value), &existed, &err) != OK) {
            die(update, &err);
        }
    }
}

/* --- build and update -------------------------------------------------------- */

static void open_source(struct update *update, const char *path)
{
    struct err err = {0};
    if (update->options->action == ACTION_UPDATE) {
        source_open_stream(&update->source, stdin, "stdin");
    } else if (source_open(&update->source, path, &err) != OK) {
        log_fatal("%s", err.text);
    }
}

/* A new file may be read by those who may read the source. */
static mode_t mode_of(const struct options *options, mode_t source)
{
    mode_t mode = source & 0666;
    if (options->default_mode || options->action == ACTION_UPDATE || mode == 0) {
        return DEFAULT_MODE;
    }
    return (mode | 0600) & (mode_t)~CREATION_MASK;
}

static void open_writer(struct update *update, const struct table_name *name)
{
    need_writer(update->conf, name, false);
    struct stat st = {0};
    if (fstat(fileno(update->source.file), &st) != 0) {
        log_fatal("fstat %s: %m", update->source.title);
    }
    update->source_bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    const struct map_writer_options wanted = {
        .nul = update->options->nul,
        .incremental = update->options->action == ACTION_UPDATE,
        .mode = mode_of(update->options, st.st_mode),
        .source_bytes = update->source_bytes,
    };
    struct err err = {0};
    update->writer =
        map_writer_open(update->conf, name->type, name->path, &wanted, &err);
    if (update->writer == NULL) {
        log_fatal("%s", err.text);
    }
}

/* What is logged must not stand behind it. */
static void erase_progress(enum log_level level, const char *text, void *context)
{
    (void)level;
    (void)text;
    progress_end(context);
}

static void build_table(const struct options *options, const struct conf *conf,
                        const struct table_name *name)
{
    if (strcmp(name->type, "proxy") == 0) {
        log_fatal("can't create maps via the proxy service");
    }
    struct update update = {.options = options, .conf = conf};
    struct err err = {0};
    open_source(&update, name->path);
    bool lowered = lower_rights(options, name->path);
    catch_signals();
    open_writer(&update, name);
    progress_begin(&update.progress, "entries", !options->no_progress);
    log_set_hook(erase_progress, &update.progress);
    put_entries(&update);
    log_set_hook(NULL, NULL);
    if (options->aliases) {
        put_alias_marks(&update);
    }
    if (map_writer_commit(&update.writer, &err) != OK) {
        log_fatal("%s", err.text);
    }
    restore_rights(lowered);
    source_done(&update.source);
    str_done(&update.name);
    str_done(&update.value);
    str_done(&update.folded);
    str_done(&update.content);
}

int build_run(const struct options *options, const struct conf *conf)
{
    for (char **argument = options->tables; *argument != NULL; argument++) {
        struct table_name name = table_name_parse(conf, *argument);
        build_table(options, conf, &name);
        table_name_done(&name);
    }
    return EXIT_SUCCESS;
}

/* --- delete ------------------------------------------------------------------ */

static bool delete_key(const struct options *options, const struct conf *conf,
                       struct map_writer *writer, struct view key)
{
    if (key.len == 0) {
        return false;
    }
    struct err err = {0};
    STR_AUTO struct str folded = {0};
    bool existed;
    if (map_writer_delete(writer, stored_key(options, conf, key, &folded), &existed,
                          &err) != OK) {
        map_writer_abort(&writer);
        log_fatal("%s", err.text);
    }
    return existed;
}

static bool delete_from_file(const struct options *options, const struct conf *conf,
                             const struct table_name *name, const struct view *keys,
                             size_t count)
{
    need_writer(conf, name, true);
    bool lowered = lower_rights(options, name->path);
    const struct map_writer_options wanted = {.incremental = true, .must_exist = true};
    struct err err = {0};
    struct map_writer *writer =
        map_writer_open(conf, name->type, name->path, &wanted, &err);
    if (writer == NULL) {
        log_fatal("%s", err.text);
    }
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        any = delete_key(options, conf, writer, keys[i]) || any;
    }
    if (!any) {
        map_writer_abort(&writer);
    } else if (map_writer_commit(&writer, &err) != OK) {
        log_fatal("%s", err.text);
    }
    restore_rights(lowered);
    return any;
}

/* A table that is not a file of ours: its server changes it. */
static bool delete_from_server(const struct options *options, const struct conf *conf,
                               const char *argument, const struct view *keys,
                               size_t count)
{
    struct err err = {0};
    struct map *map =
        map_open(conf, view_cstr(argument), options_map_flags(options) | MAP_WRITE);
    if (map_open_error(map) != NULL) {
        (void)err_perm(&err, "4.3.0", "%s", map_open_error(map));
    }
    bool any = false;
    bool ok = map_open_error(map) == NULL;
    for (size_t i = 0; ok && i < count; i++) {
        enum map_result result =
            keys[i].len > 0 ? map_remove(map, keys[i], &err) : MAP_MISSING;
        any = any || result == MAP_FOUND;
        ok = result != MAP_ERROR;
    }
    map_close(&map);
    if (!ok) {
        log_fatal("%s", err.text);
    }
    return any;
}

static bool delete_from(const struct options *options, const struct conf *conf,
                        const char *argument, const struct view *keys, size_t count)
{
    struct table_name name = table_name_parse(conf, argument);
    struct err err = {0};
    struct view type = view_cstr(name.type);
    bool by_server =
        !map_writer_supports(conf, type, &err) && map_type_is_writable(type);
    bool any = by_server ? delete_from_server(options, conf, argument, keys, count)
                         : delete_from_file(options, conf, &name, keys, count);
    table_name_done(&name);
    return any;
}

static size_t read_keys(struct arena *arena, struct view **keys_out)
{
    struct key_reader reader = {0};
    struct view key, *keys = NULL;
    size_t count = 0, capacity = 0;
    while (key_reader_next(&reader, &key)) {
        if (count == capacity) {
            capacity = capacity > 0 ? 2 * capacity : 64;
            keys = xreallocarray(keys, capacity, sizeof(keys[0]));
        }
        keys[count++] = arena_view(arena, key);
    }
    key_reader_done(&reader);
    *keys_out = keys;
    return count;
}

int delete_run(const struct options *options, const struct conf *conf)
{
    struct arena arena = {0};
    struct view one = view_cstr(options->key), *many = NULL;
    bool from_input = strcmp(options->key, "-") == 0;
    size_t count = from_input ? read_keys(&arena, &many) : 1;
    bool any = false;
    for (char **argument = options->tables; *argument != NULL; argument++) {
        any = delete_from(options, conf, *argument, from_input ? many : &one, count) ||
              any;
    }
    free(many);
    arena_clear(&arena);
    return any ? EXIT_SUCCESS : EXIT_FAILURE;
}
