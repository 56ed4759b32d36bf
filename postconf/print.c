/* SPDX-License-Identifier: MIT */
/* The layout of postconf's output, which is also that of the lines it writes. */
#include "postconf/print.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "conf/settings.h"

enum { MAIN_WIDTH = 80, MASTER_WIDTH = 79 };
static const char indent[] = "    ";
static const char white[] = " \t\r\n\v\f";

static void write_line(const struct str *line)
{
    (void)fwrite(str_ptr(line), 1, line->len, stdout);
    (void)fputc('\n', stdout);
}

/* Add WORD to the line, or to a new one when it would go beyond WIDTH (0: no limit). */
static void add_word(struct str *out, size_t *line_start, struct view word,
                     size_t width)
{
    size_t used = out->len - *line_start;
    if (width > 0 && used + 1 + word.len > width && used > 0) {
        str_add_byte(out, '\n');
        *line_start = out->len;
        str_add_cstr(out, indent);
    } else if (used > 0) {
        str_add_byte(out, ' ');
    }
    str_add(out, word);
}

static void print_json(const char *name, const char *value)
{
    STR_AUTO struct str line = {0};
    str_add_byte(&line, '{');
    json_add_string(&line, view_cstr(name));
    str_add_cstr(&line, ": ");
    json_add_string(&line, view_cstr(value));
    str_add_byte(&line, '}');
    write_line(&line);
}

void print_setting(const struct request *request, const char *name, const char *value)
{
    if (request->json) {
        print_json(name, value);
        return;
    }
    STR_AUTO struct str line = {0};
    struct view rest = view_cstr(value);
    struct view word;
    size_t start = 0;
    if (!request->hide_names) {
        str_printf(&line, "%s%s", name, request->hide_values ? "" : " =");
    }
    while (!request->hide_values && view_next_word(&rest, white, &word)) {
        add_word(&line, &start, word, request->fold ? MAIN_WIDTH : 0);
    }
    write_line(&line);
}

void format_word(struct str *out, const char *word)
{
    bool plain = word[0] != '\0' && word[0] != '{' && strpbrk(word, white) == NULL;
    str_printf(out, plain ? "%s" : "{%s}", word);
}

/* Fields start in fixed columns unless one before was too long. */
static void format_fields(const struct master_line *line, struct str *out)
{
    static const size_t columns[] = {0, 11, 17, 25, 33, 41, 49, 57};
    for (int i = 0; i <= FIELD_COMMAND; i++) {
        if (i > 0) {
            str_add_byte(out, ' ');
        }
        while (out->len < columns[i]) {
            str_add_byte(out, ' ');
        }
        str_add_cstr(out, i < FIELD_COMMAND ? line->fields[i] : "");
    }
}

static void start_line(struct str *out, size_t *line_start)
{
    str_add_byte(out, '\n');
    *line_start = out->len;
    str_add_cstr(out, indent);
}

/* "-o name=value" at word INDEX in the one form we write; the number of words it takes.
 */
static int format_option(const struct master_line *line, int index, struct str *out)
{
    STR_AUTO struct str text = {0};
    struct view name, value;
    const char *setting;
    int taken = master_line_option(line, index, &setting);
    if (taken == 0) {
        return 0;
    }
    str_add_cstr(out, setting != NULL ? "-o " : "-o");
    if (setting != NULL &&
        conf_split_setting(view_cstr(setting), &name, &value, NULL)) {
        str_printf(&text, "%.*s=%.*s", VIEW_ARG(name), VIEW_ARG(value));
        format_word(out, str_ptr(&text));
    } else if (setting != NULL) {
        format_word(out, setting);
    }
    return taken;
}

/* The words behind the program's name; with a WIDTH on lines of at most that, and
 * each option and what comes after it on a line of its own. */
static void format_arguments(const struct master_line *line, size_t width,
                             struct str *out)
{
    int first_argument = master_line_first_argument(line);
    size_t start = 0;
    bool after_option = false;
    for (int i = 1; i < line->word_count;) {
        STR_AUTO struct str word = {0};
        int taken = i < first_argument ? format_option(line, i, &word) : 0;
        if (taken == 0) {
            format_word(&word, line->words[i]);
        }
        if (width > 0 && (taken > 0 || after_option)) {
            start_line(out, &start);
            str_add(out, str_view(&word));
        } else {
            add_word(out, &start, str_view(&word), width);
        }
        after_option = taken > 0;
        i += taken > 0 ? taken : 1;
    }
}

void format_service(const struct master_line *line, bool fold, struct str *out)
{
    CHECK(line->word_count > 0);
    format_fields(line, out);
    str_add_cstr(out, line->words[0]);
    format_arguments(line, fold ? MASTER_WIDTH : 0, out);
}

static void add_plain_command(const struct master_line *line, struct str *out)
{
    str_add_cstr(out, line->words[0]);
    format_arguments(line, 0, out);
}

void print_command(const struct request *request, const char *name,
                   const struct master_line *line)
{
    STR_AUTO struct str text = {0};
    CHECK(line->word_count > 0);
    if (request->json || !request->fold || request->hide_values) {
        add_plain_command(line, &text);
        print_setting(request, name, str_ptr(&text));
        return;
    }
    if (!request->hide_names) {
        str_printf(&text, "%s = ", name);
    }
    str_add_cstr(&text, line->words[0]);
    format_arguments(line, MAIN_WIDTH, &text);
    write_line(&text);
}

void print_service(const struct request *request, const struct master_line *line)
{
    STR_AUTO struct str name = {0};
    STR_AUTO struct str text = {0};
    if (!request->json) {
        format_service(line, request->fold, &text);
        write_line(&text);
        return;
    }
    for (int i = 0; i < FIELD_COMMAND; i++) {
        str_printf(&text, "%s ", line->fields[i]);
    }
    add_plain_command(line, &text);
    str_printf(&name, "%s/%s", line->fields[FIELD_SERVICE], line->fields[FIELD_TYPE]);
    print_json(str_ptr(&name), str_ptr(&text));
}
