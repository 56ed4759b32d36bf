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

/* Bytes of the character at the start of TEXT if it only looks like a space, and its
 * name. */
static size_t false_space(struct view text, const char **name_out)
{
    static const struct {
        struct view bytes;
        const char *name;
    } spaces[] = {
        {{"\xe3\x80\x80", 3}, "U+3000, an ideographic space,"},
        {{"\xc2\xa0", 2}, "U+00A0, a no-break space,"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
        if (view_starts(text, spaces[i].bytes)) {
            *name_out = spaces[i].name;
            return spaces[i].bytes.len;
        }
    }
    return 0;
}

/* Columns count characters, as editors do. */
static void warn_false_spaces(const char *file, int number, struct view line)
{
    int column = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (((unsigned char)line.ptr[i] & 0xc0) == 0x80) {
            continue;
        }
        column++;
        const char *name = "";
        if (false_space(view_from(line, i), &name) > 0) {
            log_warning("%s, line %d, column %d: %s is text here, not white space",
                        file, number, column, name);
            return;
        }
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
    for (int number = 1; physical_line_next(&rest, &line); number++) {
        if (!physical_line_is_filler(line)) {
            warn_false_spaces(conf->file, number, line);
            hint_trailing_comment(conf->file, number, line);
        }
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
