/* SPDX-License-Identifier: MIT */
/*
 * master.cf: whole lines (-M), single fields (-F), single options (-P).  A line that is
 * changed is written in columns; all others stay as they are.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "conf/logical_line.h"
#include "conf/settings.h"
#include "postconf/edit.h"
#include "postconf/print.h"
#include "postconf/services.h"

struct change {
    const char *operand;
    struct service_pattern pattern;
    struct view value;
    struct master_line line; /* -M: what the service becomes */
    enum master_field field; /* -F */
    bool found;
};

struct edit {
    const struct request *request;
    struct change *changes;
    int count;
    const char *file;
    struct arena arena;
};

/* --- what is asked for ------------------------------------------------------------ */

static void parse_new_line(struct edit *edit, struct change *change)
{
    struct err err;
    if (master_line_parse(&edit->arena, change->value, edit->file, 0, &change->line,
                          &err) != OK) {
        if (strstr(err.text, "bad field count") != NULL) {
            log_fatal("bad field count: \"%s\"", change->operand);
        }
        log_fatal("%s", err.text);
    }
}

static void check_field_value(struct change *change)
{
    struct view name = change->pattern.parts[2];
    if (view_equal_cstr(name, "*")) {
        log_fatal("-Fe does not accept wild-card field name");
    }
    if (!master_field_find(name, &change->field)) {
        log_fatal("invalid service attribute name: \"%.*s\"", VIEW_ARG(name));
    }
    struct view rest = change->value;
    struct view word;
    if (change->field != FIELD_COMMAND && view_next_word(&rest, " \t\r\n\v\f", &word) &&
        word.len < change->value.len) {
        log_fatal("-Fe does not accept whitespace in non-command field");
    }
    if (!master_field_valid(change->field, change->value)) {
        log_fatal("invalid %s field \"%.*s\" in \"%.*s\"",
                  master_field_name(change->field), VIEW_ARG(change->value),
                  VIEW_ARG(change->value));
    }
}

static void check_option(const struct change *change)
{
    struct view rest = change->value;
    struct view word;
    if (view_equal_cstr(change->pattern.parts[2], "*")) {
        log_fatal("-Pe does not accept wild-card parameter name");
    }
    if (view_next_word(&rest, " \t\r\n\v\f", &word) && word.len < change->value.len) {
        log_fatal("-Pe does not accept whitespace in parameter value");
    }
}

static void check_pattern(const struct edit *edit, struct view text,
                          struct change *change)
{
    enum postconf_mode mode = edit->request->mode;
    int parts = mode == MODE_SERVICES ? 2 : 3;
    if (service_pattern_parse(text, parts, &change->pattern) &&
        change->pattern.count == parts) {
        return;
    }
    if (mode == MODE_SERVICES) {
        log_fatal("-Me, -MX or -M# requires service_name/type");
    }
    log_fatal(mode == MODE_FIELDS ? "-Fe or -FX requires service_name/type/field_name"
                                  : "-Pe or -PX requires service_name/type/parameter");
}

static void add_change(struct edit *edit, const char *operand)
{
    struct change *change = &edit->changes[edit->count++];
    struct view name = view_trim(view_cstr(operand));
    struct err err;
    *change = (struct change){.operand = operand};
    edit_check_operand(operand);
    if (!edit->request->edit) {
        if (strchr(operand, '=') != NULL) {
            log_fatal("-X or -# requires names without value");
        }
    } else if (!conf_split_setting(name, &name, &change->value, &err)) {
        log_fatal("%s", err.text);
    }
    check_pattern(edit, name, change);
    if (edit->request->mode == MODE_OPTIONS) {
        check_option(change);
    } else if (edit->request->mode == MODE_FIELDS) {
        check_field_value(change);
    } else if (edit->request->edit) {
        parse_new_line(edit, change);
    }
}

static void read_changes(struct edit *edit)
{
    if (edit->request->operand_count == 0) {
        log_fatal(edit->request->edit ? "-e requires name=value argument"
                                      : "missing service argument");
    }
    edit->changes =
        xcalloc((size_t)edit->request->operand_count, sizeof(edit->changes[0]));
    for (int i = 0; i < edit->request->operand_count; i++) {
        add_change(edit, edit->request->operands[i]);
    }
}

/* --- changing a line -------------------------------------------------------------- */

static void set_command(struct edit *edit, struct master_line *line, struct view value)
{
    struct master_line parsed;
    struct err err;
    struct view text =
        view_cstr(arena_printf(&edit->arena, "x unix - - - - - %.*s", VIEW_ARG(value)));
    if (master_line_parse(&edit->arena, text, edit->file, line->line, &parsed, &err) !=
        OK) {
        log_fatal("%s", err.text);
    }
    line->words = parsed.words;
    line->word_count = parsed.word_count;
}

/* The words of LINE without its options called NAME, and with SETTING, if not NULL,
 * where the first of them was or behind the other options. */
static void set_option(struct edit *edit, struct master_line *line, struct view name,
                       const char *setting)
{
    int end = master_line_first_argument(line);
    int count = 0;
    const char **words =
        arena_alloc(&edit->arena, ((size_t)line->word_count + 3) * sizeof(words[0]));
    for (int i = 0; i < line->word_count || setting != NULL;) {
        const char *found;
        struct view option, value;
        int taken = i > 0 && i < end ? master_line_option(line, i, &found) : 0;
        bool same = taken > 0 && found != NULL &&
                    conf_split_setting(view_cstr(found), &option, &value, NULL) &&
                    view_equal(option, name);
        if (setting != NULL && (same || i == end)) {
            words[count++] = "-o";
            words[count++] = setting;
            setting = NULL;
        }
        for (int k = 0; k < (taken > 0 ? taken : 1) && i < line->word_count; k++, i++) {
            if (!same) {
                words[count++] = line->words[i];
            }
        }
    }
    CHECK(count > 0 && count <= line->word_count + 2);
    line->words = words;
    line->word_count = count;
    words[count] = NULL;
}

static void apply(struct edit *edit, const struct change *change,
                  struct master_line *line)
{
    if (edit->request->mode == MODE_FIELDS) {
        if (change->field == FIELD_COMMAND) {
            set_command(edit, line, change->value);
        } else {
            line->fields[change->field] = arena_cstr(&edit->arena, change->value);
        }
        return;
    }
    struct view name = change->pattern.parts[2];
    const char *setting = arena_printf(&edit->arena, "%.*s=%.*s", VIEW_ARG(name),
                                       VIEW_ARG(change->value));
    set_option(edit, line, name, edit->request->edit ? setting : NULL);
}

static void add_service(struct str *out, const struct master_line *line)
{
    STR_AUTO struct str text = {0};
    format_service(line, true, &text);
    edit_add_line(out, str_view(&text));
}

/* --- the file --------------------------------------------------------------------- */

/* A logical line: where it starts, its text, and what of the file lies up to the next.
 */
struct piece {
    struct view physical; /* from its first line up to the next logical line */
    struct master_line line;
    const char *mistake; /* why LINE has no more than name and type; or NULL */
};

/* The last change that is about LINE, which is the one that -M makes; NULL: none. */
static struct change *find_change(struct edit *edit, const struct master_line *line)
{
    struct change *last = NULL;
    for (int i = 0; i < edit->count; i++) {
        if (service_pattern_matches(&edit->changes[i].pattern, line)) {
            last = &edit->changes[i];
        }
    }
    return last;
}

/* Copy the comments and empty lines of PHYSICAL; with PREFIX also its other lines,
 * behind the prefix. */
static void copy_lines(struct str *out, struct view physical, const char *prefix)
{
    struct view line;
    while (physical_line_next(&physical, &line)) {
        bool filler = physical_line_is_filler(line);
        if (!filler && prefix != NULL) {
            str_add_cstr(out, prefix);
        }
        if (filler || prefix != NULL) {
            edit_add_line(out, line);
        }
    }
}

static void write_piece(struct edit *edit, struct piece *piece, struct str *out)
{
    struct change *change = find_change(edit, &piece->line);
    const struct request *request = edit->request;
    if (change != NULL && piece->mistake != NULL && request->mode != MODE_SERVICES) {
        log_fatal("%s", piece->mistake);
    }
    if (change == NULL) {
        copy_lines(out, piece->physical, "");
    } else if (request->mode == MODE_SERVICES) {
        /* A pattern may match several lines; they become one. */
        if (request->edit && !change->found) {
            add_service(out, &change->line);
        }
        change->found = true;
        copy_lines(out, piece->physical, request->comment_out ? "#" : NULL);
    } else {
        struct master_line line = piece->line;
        for (int i = 0; i < edit->count; i++) {
            if (service_pattern_matches(&edit->changes[i].pattern, &piece->line)) {
                apply(edit, &edit->changes[i], &line);
                edit->changes[i].found = true;
            }
        }
        copy_lines(out, piece->physical, NULL);
        add_service(out, &line);
    }
}

/* A line with a mistake must not keep anybody from removing it, or from changing
 * others: its name and type are enough for that. */
static void parse_piece(struct edit *edit, struct view text, int number,
                        struct piece *piece)
{
    struct err err;
    struct view word;
    if (master_line_parse(&edit->arena, text, edit->file, number, &piece->line, &err) ==
        OK) {
        return;
    }
    piece->mistake = arena_strdup(&edit->arena, err.text);
    for (int i = FIELD_SERVICE; i <= FIELD_TYPE; i++) {
        piece->line.fields[i] = view_next_word(&text, " \t\r\n\v\f", &word)
                                    ? arena_cstr(&edit->arena, word)
                                    : "";
    }
}

/* How much of REST is comments and continuation lines. */
static size_t length_of_rest(struct view rest)
{
    struct view at = rest;
    struct view line;
    while (at.len > 0) {
        struct view before = at;
        (void)physical_line_next(&at, &line);
        if (!physical_line_is_filler(line) && !physical_line_continues(line)) {
            return rest.len - before.len;
        }
    }
    return rest.len;
}

static int count_lines(struct view text)
{
    struct view line;
    int count = 0;
    while (physical_line_next(&text, &line)) {
        count++;
    }
    return count;
}

static void rewrite(struct edit *edit, struct edited_file *file)
{
    struct view rest = str_view(&file->old);
    size_t head = length_of_rest(rest);
    int number = count_lines(view_first(rest, head));
    copy_lines(&file->new, view_first(rest, head), "");
    for (rest = view_from(rest, head); rest.len > 0;) {
        struct piece piece = {.mistake = NULL};
        size_t first = view_index(rest, '\n') + 1;
        size_t len = first + length_of_rest(view_from(rest, first));
        piece.physical = view_first(rest, len);
        struct logical_line reader = {.rest = piece.physical, .next_line = number};
        (void)logical_line_next(&reader);
        parse_piece(edit, str_view(&reader.text), reader.line, &piece);
        number = reader.next_line;
        logical_line_done(&reader);
        write_piece(edit, &piece, &file->new);
        rest = view_from(rest, len);
    }
}

static void report_unmatched(const struct edit *edit, struct str *out)
{
    for (int i = 0; i < edit->count; i++) {
        const struct change *change = &edit->changes[i];
        if (change->found) {
            continue;
        }
        if (edit->request->mode != MODE_SERVICES) {
            log_warning("unmatched service_name/type: \"%s\"", change->operand);
        } else if (edit->request->edit) {
            add_service(out, &change->line);
        }
    }
}

void edit_services(const struct request *request, const char *directory)
{
    struct edited_file file;
    struct edit edit = {.request = request};
    char *path = xasprintf("%s/master.cf", directory);
    edit.file = path;
    read_changes(&edit);
    edited_file_open(&file, directory, "master.cf");
    rewrite(&edit, &file);
    report_unmatched(&edit, &file.new);
    edited_file_close(&file);
    arena_clear(&edit.arena);
    free(edit.changes);
    free(path);
}
