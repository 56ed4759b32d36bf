/* SPDX-License-Identifier: MIT */
/*
 * Logical lines of table sources.  Reading goes one physical line ahead, because
 * only the next line tells whether this one is complete.
 */
#include "map/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "conf/conf.h"
#include "map/map_private.h"

enum { SHOWN_BYTES = 30 }; /* of a bad line, in a warning */

enum outcome source_open(struct source *source, const char *path, struct err *err)
{
    *source = (struct source){0};
    source->file = fopen(path, "re");
    struct stat st;
    if (source->file != NULL && fstat(fileno(source->file), &st) == 0 &&
        S_ISDIR(st.st_mode)) {
        (void)fclose(source->file);
        source->file = NULL;
        errno = EISDIR;
    }
    if (source->file == NULL) {
        return err_temp(err, "4.3.0", "open %s: %m", path);
    }
    source->title = xstrdup(path);
    return OK;
}

void source_open_stream(struct source *source, FILE *file, const char *title)
{
    *source = (struct source){.file = file, .borrowed = true, .title = xstrdup(title)};
}

enum outcome source_open_inline(struct source *source, const char *text,
                                struct err *err)
{
    *source = (struct source){0};
    struct view items;
    if (!map_unbrace(view_cstr(text), &items, err)) {
        return PERMFAIL;
    }
    /* Every item must be in braces: say so now, before rules are in use. */
    struct view rest = items, item, inner;
    while (conf_list_next(&rest, &item)) {
        if (!map_unbrace(item, &inner, err)) {
            return PERMFAIL;
        }
    }
    source->title = xstrdup(text);
    source->inline_copy = xviewdup(items);
    source->inline_rest = view_cstr(source->inline_copy);
    return OK;
}

void source_done(struct source *source)
{
    if (source->file != NULL && !source->borrowed) {
        (void)fclose(source->file);
    }
    free(source->title);
    free(source->inline_copy);
    free(source->ahead);
    str_done(&source->line);
    *source = (struct source){0};
}

bool source_failed(const struct source *source)
{
    return (source->file != NULL && ferror(source->file) != 0) ||
           !str_ok(&source->line);
}

uint64_t source_position(const struct source *source)
{
    return source->position;
}

uid_t source_owner(const struct source *source)
{
    struct stat st;
    if (source->file == NULL || fstat(fileno(source->file), &st) != 0) {
        return 0;
    }
    return st.st_uid;
}

/* --- reading ----------------------------------------------------------------- */

/* Have a physical line in AHEAD, without its LF. */
static bool fetch_ahead(struct source *source)
{
    if (source->has_ahead) {
        return true;
    }
    ssize_t len = getline(&source->ahead, &source->ahead_capacity, source->file);
    if (len < 0) {
        return false;
    }
    source->position += (uint64_t)len;
    if (len > 0 && source->ahead[len - 1] == '\n') {
        len--;
    }
    source->ahead_len = (size_t)len;
    source->has_ahead = true;
    source->line_number++;
    return true;
}

static bool is_comment(struct view line)
{
    struct view text = view_trim(line);
    return text.len == 0 || text.ptr[0] == '#';
}

static void warn_leading_space(const struct source *source, struct view line)
{
    bool cut = line.len > SHOWN_BYTES;
    log_warning("%s: logical line must not start with whitespace: \"%.*s%s\"",
                source->title, VIEW_ARG(view_first(line, SHOWN_BYTES)),
                cut ? "..." : "");
}

/* Gather the lines that continue the one in source->line. */
static void read_continuation(struct source *source)
{
    while (fetch_ahead(source)) {
        struct view line = view_of(source->ahead, source->ahead_len);
        if (!is_comment(line)) {
            if (!ascii_space(line.ptr[0])) {
                return; /* the next logical line */
            }
            str_add(&source->line, line);
        }
        source->has_ahead = false;
    }
}

static bool next_of_file(struct source *source, struct view *line_out, int *number_out)
{
    while (fetch_ahead(source)) {
        struct view line = view_of(source->ahead, source->ahead_len);
        source->has_ahead = false;
        if (is_comment(line)) {
            continue;
        }
        if (ascii_space(line.ptr[0])) {
            warn_leading_space(source, line);
            continue;
        }
        *number_out = source->line_number;
        str_set(&source->line, line);
        read_continuation(source);
        *line_out = view_trim(str_view(&source->line));
        return str_ok(&source->line);
    }
    return false;
}

bool source_next(struct source *source, struct view *line_out, int *number_out)
{
    if (source->file != NULL) {
        return next_of_file(source, line_out, number_out);
    }
    struct view item;
    while (conf_list_next(&source->inline_rest, &item)) {
        source->line_number++;
        CHECK(map_unbrace(item, line_out, NULL));
        if (line_out->len > 0) {
            *number_out = source->line_number;
            return true;
        }
    }
    return false;
}

/* --- entries ----------------------------------------------------------------- */

/* Length of the key at the start of LINE; false when a quote is open at its end. */
static bool measure_key(struct view line, size_t *len_out)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < line.len && (quoted || !ascii_space(line.ptr[i])); i++) {
        if (line.ptr[i] == '\\' && i + 1 < line.len) {
            i++;
        } else if (line.ptr[i] == '"') {
            quoted = !quoted;
        }
    }
    *len_out = i;
    return !quoted;
}

bool source_split_entry(const struct source *source, int number, struct view line,
                        const char *tail, struct view *key_out, struct view *value_out)
{
    size_t len;
    if (!measure_key(line, &len)) {
        log_warning("%s, line %d: unbalanced '\"' in '%.*s' -- ignoring this line",
                    source->title, number, VIEW_ARG(line));
        return false;
    }
    *key_out = view_first(line, len);
    *value_out = view_trim(view_from(line, len));
    if (value_out->len == 0) {
        log_warning("%s, line %d: expected format: key whitespace value%s",
                    source->title, number, tail);
        return false;
    }
    if (key_out->ptr[len - 1] == ':') {
        log_warning("%s, line %d: record is in \"key: value\" format; "
                    "is this an alias file?",
                    source->title, number);
    }
    return true;
}
