/* SPDX-License-Identifier: MIT */
#include "postconf/table_files.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/logical_line.h"
#include "conf/settings.h"
#include "postconf/tables.h"
#include "sys/file.h"

enum { FILE_MOST = 1024 * 1024 };

/* A table of this kind has no setting NAME. */
static void check_setting(struct view table, size_t type_len, struct view name,
                          struct view value, int line)
{
    if (tables_has_setting(view_first(table, type_len), name)) {
        return;
    }
    log_warning("%.*s: unused parameter: %.*s=%.*s", VIEW_ARG(table), VIEW_ARG(name),
                VIEW_ARG(value));
    log_hint("%.*s, line %d: tables of type %.*s do not have this setting",
             VIEW_ARG(view_from(table, type_len + 1)), line,
             VIEW_ARG(view_first(table, type_len)));
}

static void check_text(struct view table, size_t type_len, struct view text)
{
    struct logical_line reader = {.rest = text};
    struct htab *settings = htab_new();
    struct view file = view_from(table, type_len + 1);
    while (logical_line_next(&reader)) {
        struct view line = str_view(&reader.text);
        struct view name, value;
        struct err err;
        if (ascii_space(line.ptr[0])) {
            continue;
        }
        if (!conf_split_setting(line, &name, &value, &err)) {
            log_fatal("%.*s, line %d: %s", VIEW_ARG(file), reader.line, err.text);
        }
        char *old = htab_put(settings, name, xviewdup(value));
        if (old != NULL && !view_equal_cstr(value, old)) {
            log_warning("%.*s, line %d: overriding earlier entry: %.*s=%s",
                        VIEW_ARG(file), reader.line, VIEW_ARG(name), old);
        }
        free(old);
        check_setting(table, type_len, name, value, reader.line);
    }
    htab_free(&settings, free);
    logical_line_done(&reader);
}

static void check_table(struct view table, size_t type_len)
{
    STR_AUTO struct str text = {0};
    struct err err;
    char *path = xviewdup(view_from(table, type_len + 1));
    if (file_read(path, FILE_MOST, &text, &err) == OK) {
        check_text(table, type_len, str_view(&text));
    } else {
        errno = err.code;
        log_warning("open \"%.*s\" configuration \"%s\": %m",
                    VIEW_ARG(view_first(table, type_len)), path);
    }
    free(path);
}

void table_files_check(struct view value, struct htab *seen)
{
    struct view item;
    while (conf_list_next(&value, &item)) {
        if (view_starts(item, VIEW("proxy:"))) {
            item = view_from(item, sizeof("proxy:") - 1);
        }
        size_t colon = view_index(item, ':');
        bool file = colon + 1 < item.len && item.ptr[colon + 1] == '/' &&
                    tables_has_settings(view_first(item, colon));
        if (file && htab_put(seen, item, seen) == NULL) {
            check_table(item, colon);
        }
    }
}
