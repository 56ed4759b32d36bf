/* SPDX-License-Identifier: MIT */
/*
 * postfix non-bdb: leave Berkeley DB, step by step, and see how far that is.  Settings
 * are made with postconf; what they do is in map/migration.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "map/map.h"
#include "master/postfix_command.h"

static bool is_bdb(const char *type)
{
    return strcmp(type, "hash") == 0 || strcmp(type, "btree") == 0;
}

/* The type that is to be used from now on. */
static const char *next_type(const struct control *control, enum param param)
{
    const char *present = conf_str(control->conf, param);
    if (!is_bdb(present)) {
        return present;
    }
    if (!map_type_is_known(control->conf, VIEW("lmdb"))) {
        log_fatal(
            "no table type takes the place of %s: dynamicmaps.cf does not list lmdb "
            "(package postfix-lmdb)",
            present);
    }
    return "lmdb";
}

static int show_status(const struct control *control)
{
    static const struct {
        const char *name;
        enum param param;
    } rows[] = {
        {"non_bdb_migration_level", P_non_bdb_migration_level},
        {"non_bdb_custom_mapping", P_non_bdb_custom_mapping},
        {"default_database_type", P_default_database_type},
        {"default_cache_db_type", P_default_cache_db_type},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)printf("%s = %s\n", rows[i].name, conf_str(control->conf, rows[i].param));
    }
    return EXIT_SUCCESS;
}

static int set_level(const struct control *control, const char *level)
{
    bool enable = strcmp(level, "disable") != 0;
    char *program =
        xasprintf("%s/postconf", conf_str(control->conf, P_command_directory));
    char *directory = xstrdup(control->config_directory);
    char *settings[] = {
        xasprintf("non_bdb_migration_level=%s", level),
        enable ? xasprintf("default_database_type=%s",
                           next_type(control, P_default_database_type))
               : NULL,
        enable ? xasprintf("default_cache_db_type=%s",
                           next_type(control, P_default_cache_db_type))
               : NULL,
    };
    char c[] = "-c", e[] = "-e";
    char *argv[] = {program,     c,           directory,   e,
                    settings[0], settings[1], settings[2], NULL};
    int status = control_run(program, argv, false);
    if (status == EXIT_SUCCESS) {
        log_info(
            "non_bdb_migration_level is %s now; it counts after \"postfix reload\"",
            level);
    }
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        free(settings[i]);
    }
    free(program);
    free(directory);
    return status;
}

int migration_run(struct control *control, const char *what)
{
    static const char *const levels[] = {"disable", "enable-redirect",
                                         "enable-reindex"};
    control_need_config(control, true);
    if (what == NULL || strcmp(what, "status") == 0) {
        return show_status(control);
    }
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        if (strcmp(what, levels[i]) == 0) {
            return set_level(control, what);
        }
    }
    log_fatal("usage: postfix non-bdb status (or disable, enable-redirect, "
              "enable-reindex)");
}
