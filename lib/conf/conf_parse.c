/* SPDX-License-Identifier: MIT */
/*
 * From the text of main.cf to settings.  The last setting of a name holds; an earlier
 * one is worth a warning, and so is anything that looks like white space and is not.
 * A line that is no setting stops the reading: half a configuration is none.
 */
#include "base/ascii.h"
#include "base/log.h"
#include "conf/conf_private.h"
#include "conf/logical_line.h"
#include "conf/look_alike.h"
#include "conf/param_table.h"

bool conf_split_setting(struct view text, struct view *name_out, struct view *value_out,
                        struct err *err)
{
    size_t end = 0;
    text = view_trim(text);
    while (end < text.len && text.ptr[end] != '=' && !ascii_space(text.ptr[end])) {
        end++;
    }
    *name_out = view_first(text, end);
    struct view rest = view_trim(view_from(text, end));
    if (name_out->len == 0) {
        (void)err_perm(err, "5.3.0", "missing attribute name: \"%.*s\"",
                       VIEW_ARG(text));
        return false;
    }
    if (rest.len == 0 || rest.ptr[0] != '=') {
        (void)err_perm(err, "5.3.0", "missing '=' after attribute name: \"%.*s\"",
                       VIEW_ARG(text));
        return false;
    }
    *value_out = view_trim(view_from(rest, 1));
    return true;
}

static void warn_look_alike(const char *file, int number, struct view line)
{
    STR_AUTO struct str what = {0};
    int column;
    if (look_alike_find(line, &column, &what)) {
        bool space = strstr(str_ptr(&what), "space") != NULL;
        log_warning("%s, line %d, column %d: %s is text here, not %s", file, number,
                    column, str_ptr(&what), space ? "white space" : "syntax");
    }
}

/* White space in front turns a setting into more of the one before. */
static void warn_swallowed(const char *file, int number, struct view line)
{
    struct view name, value;
    enum param param;
    if (conf_split_setting(line, &name, &value, NULL) && param_find(name, &param)) {
        log_warning("%s, line %d: starts with white space: this is no setting of %.*s "
                    "but more of the setting above",
                    file, number, VIEW_ARG(name));
    }
}

static void hint_trailing_comment(const char *file, int number, struct view line)
{
    size_t hash = view_index(line, '#');
    if (hash == line.len || hash == 0 || !ascii_space(line.ptr[hash - 1]) ||
        view_index(line, '{') < hash) {
        return;
    }
    log_hint(
        "%s, line %d: the text from \"#\" on is part of the value; a comment needs "
        "a line of its own",
        file, number);
}

static void warn_about_lines(const struct conf *conf)
{
    struct view rest = str_view(&conf->text);
    struct view line;
    int settings = 0;
    for (int number = 1; physical_line_next(&rest, &line); number++) {
        if (physical_line_is_filler(line)) {
            continue;
        }
        warn_look_alike(conf->file, number, line);
        hint_trailing_comment(conf->file, number, line);
        if (settings > 0 && physical_line_continues(line)) {
            warn_swallowed(conf->file, number, line);
        }
        settings++;
    }
}

static void warn_leading_space(const struct conf *conf, struct view text)
{
    enum { SHOWN = 30 };
    log_warning("%s: logical line must not start with whitespace: \"%.*s%s\"",
                conf->file, VIEW_ARG(view_first(text, SHOWN)),
                text.len > SHOWN ? "..." : "");
}

static enum outcome parse_line(struct conf *conf, const struct logical_line *reader,
                               bool warn, struct err *err)
{
    struct view name, value;
    struct err mistake;
    struct view text = str_view(&reader->text);
    if (ascii_space(text.ptr[0])) {
        if (warn) {
            warn_leading_space(conf, text);
        }
        return OK;
    }
    if (!conf_split_setting(text, &name, &value, &mistake)) {
        return err_perm(err, "5.3.0", "%s, line %d: %s", conf->file, reader->line,
                        mistake.text);
    }
    const struct conf_setting *old = conf_put(conf, name, value, reader->line);
    /* The same again is no news. */
    if (old != NULL && warn && !view_equal_cstr(value, old->value)) {
        log_warning("%s, line %d: overriding earlier entry: %s=%s", conf->file,
                    reader->line, old->name, old->value);
    }
    return OK;
}

enum outcome conf_parse(struct conf *conf, bool warn, struct err *err)
{
    struct view text = str_view(&conf->text);
    size_t nul = view_index(text, '\0');
    if (nul < text.len) {
        return err_perm(err, "5.3.0", "%s: null byte at offset %zu: not a text file",
                        conf->file, nul);
    }
    if (warn) {
        warn_about_lines(conf);
    }
    struct logical_line reader = {.rest = text};
    enum outcome outcome = OK;
    while (outcome == OK && logical_line_next(&reader)) {
        outcome = parse_line(conf, &reader, warn, err);
    }
    logical_line_done(&reader);
    return outcome;
}
