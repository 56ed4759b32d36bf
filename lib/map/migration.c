/* SPDX-License-Identifier: MIT */
#include "map/migration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "sys/child.h"

enum level { DISABLED, REDIRECT, REINDEX };

static enum level migration_level(const struct conf *conf)
{
    static const char *const names[] = {[DISABLED] = "disable",
                                        [REDIRECT] = "enable-redirect",
                                        [REINDEX] = "enable-reindex"};
    const char *value = conf_str(conf, P_non_bdb_migration_level);
    for (enum level level = DISABLED; level <= REINDEX; level++) {
        if (strcmp(value, names[level]) == 0) {
            return level;
        }
    }
    log_warning("bad value of non_bdb_migration_level: \"%s\" (disable, "
                "enable-redirect, enable-reindex): tables stay what they are",
                value);
    return DISABLED;
}

/* --- types ------------------------------------------------------------------- */

static bool is_bdb(struct view type)
{
    return view_equal_cstr(type, "hash") || view_equal_cstr(type, "btree");
}

/* "hash=lmdb" or "hash:lmdb" of non_bdb_custom_mapping. */
static bool find_custom(const struct conf *conf, struct view type, struct view *out)
{
    struct view rest = view_cstr(conf_str(conf, P_non_bdb_custom_mapping)), item;
    while (conf_list_next(&rest, &item)) {
        size_t mark = view_index(item, '=');
        mark = mark < item.len ? mark : view_index(item, ':');
        if (mark < item.len && view_equal(view_first(item, mark), type)) {
            *out = view_trim(view_from(item, mark + 1));
            return true;
        }
    }
    return false;
}

struct view migration_type(const struct conf *conf, struct view type)
{
    struct view other;
    if (!is_bdb(type) || migration_level(conf) == DISABLED) {
        return type;
    }
    if (!find_custom(conf, type, &other)) {
        enum param fallback = view_equal_cstr(type, "hash") ? P_default_database_type
                                                            : P_default_cache_db_type;
        other = view_cstr(conf_str(conf, fallback));
    }
    if (other.len == 0 || is_bdb(other)) {
        log_warning("non_bdb_migration_level: no other type for %.*s: set %s",
                    VIEW_ARG(type),
                    view_equal_cstr(type, "hash") ? "default_database_type"
                                                  : "default_cache_db_type");
        return type;
    }
    return other;
}

/* --- building ---------------------------------------------------------------- */

/* Is PATH in one of the directories of LIST? */
static bool has_prefix(const char *list, struct view path)
{
    struct view rest = view_cstr(list), prefix;
    while (conf_list_next(&rest, &prefix)) {
        if (view_starts(path, prefix) &&
            (path.len == prefix.len || path.ptr[prefix.len] == '/')) {
            return true;
        }
    }
    return false;
}

/* Who owns the source says whose directories are safe to write into. */
static bool may_build(const struct conf *conf, struct view path, uid_t owner)
{
    return has_prefix(conf_str(conf, owner == 0
                                         ? P_non_bdb_migration_allow_root_prefixes
                                         : P_non_bdb_migration_allow_user_prefixes),
                      path) &&
           (geteuid() == 0 || geteuid() == owner);
}

/* Is the source there, and the table not, or older? */
static bool is_outdated(const char *path, const char *file, struct stat *source)
{
    struct stat table;
    if (stat(path, source) != 0 || !S_ISREG(source->st_mode)) {
        return false;
    }
    return stat(file, &table) != 0 || table.st_mtime < source->st_mtime;
}

static bool is_alias_file(const struct conf *conf, struct view path)
{
    static const enum param lists[] = {P_alias_maps, P_alias_database};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        struct view rest = view_cstr(conf_str(conf, lists[i])), item;
        while (conf_list_next(&rest, &item)) {
            if (view_equal(view_from(item, view_index(item, ':') + 1), path)) {
                return true;
            }
        }
    }
    return false;
}

static void build(const struct conf *conf, struct view type, struct view path)
{
    char *program = xasprintf("%s/%s", conf_str(conf, P_command_directory),
                              is_alias_file(conf, path) ? "postalias" : "postmap");
    char *directory = xstrdup(conf_directory(conf));
    char *title = xasprintf("%.*s:%.*s", VIEW_ARG(type), VIEW_ARG(path));
    char option[] = "-c";
    char *argv[] = {program, option, directory, title, NULL};
    const int descriptors[] = {-1, -1, STDERR_FILENO};
    const struct child_plan plan = {.path = program,
                                    .argv = argv,
                                    .descriptors = descriptors,
                                    .descriptor_count = ARRAY_SIZE(descriptors)};
    pid_t pid = child_start(&plan);
    int status = pid > 0 ? child_wait(pid) : -1;
    if (status == 0) {
        log_info("built %s for the migration from Berkeley DB", title);
    } else {
        STR_AUTO struct str end = {0};
        if (status > 0) {
            child_describe(status, &end);
        }
        log_warning("cannot build %s: %s: %s", title, program,
                    status > 0 ? str_ptr(&end) : strerror(errno));
    }
    free(program);
    free(directory);
    free(title);
}

void migration_prepare(const struct conf *conf, struct view from, struct view type,
                       struct view path)
{
    if (view_equal(from, type)) {
        return;
    }
    if (conf_bool(conf, P_non_bdb_migration_log_redirect)) {
        log_info("redirecting %.*s:%.*s to %.*s:%.*s", VIEW_ARG(from), VIEW_ARG(path),
                 VIEW_ARG(type), VIEW_ARG(path));
    }
    if (migration_level(conf) != REINDEX) {
        return;
    }
    /* Files of all types that can be built are named after the type. */
    char *source = xviewdup(path);
    char *file = xasprintf("%s.%.*s", source, VIEW_ARG(type));
    struct stat st;
    if (is_outdated(source, file, &st) && may_build(conf, path, st.st_uid)) {
        build(conf, type, path);
    }
    free(source);
    free(file);
}
