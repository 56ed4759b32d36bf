/* SPDX-License-Identifier: MIT */
/*
 * The words of a service line.  Only the form is checked here: eight fields, flags that
 * are flags, numbers that are numbers, braces that match.
 */
#include "conf/master_line.h"

#include "base/ascii.h"
#include "base/number.h"

static const char *const field_names[] = {
    "service", "type",   "private",       "unprivileged",
    "chroot",  "wakeup", "process_limit", "command",
};

const char *master_field_name(enum master_field field)
{
    CHECK(field <= FIELD_COMMAND);
    return field_names[field];
}

const char *master_field_allowed(enum master_field field)
{
    switch (field) {
    case FIELD_TYPE:
        return "inet, unix, fifo, pass or unix-dgram";
    case FIELD_PRIVATE:
    case FIELD_UNPRIVILEGED:
    case FIELD_CHROOT:
        return "y, n or - for the default";
    case FIELD_WAKEUP:
        return "a number of seconds, perhaps with a ? behind it, or - for never";
    case FIELD_PROCESS_LIMIT:
        return "a number, 0 for no limit, or - for default_process_limit";
    case FIELD_SERVICE:
    case FIELD_COMMAND:
        break;
    }
    return "eight fields: service, type, private, unprivileged, chroot, wakeup, "
           "process_limit, command";
}

bool master_field_find(struct view name, enum master_field *field_out)
{
    for (int i = 0; i <= FIELD_COMMAND; i++) {
        if (view_equal_cstr(name, field_names[i])) {
            if (field_out != NULL) {
                *field_out = (enum master_field)i;
            }
            return true;
        }
    }
    return false;
}

static bool valid_type(struct view text)
{
    static const char *const types[] = {"inet", "unix", "fifo", "pass", "unix-dgram"};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (view_equal_cstr(text, types[i])) {
            return true;
        }
    }
    return false;
}

static bool valid_number(struct view text)
{
    uint64_t number;
    return number_parse_u64(text, INT32_MAX, &number);
}

bool master_field_valid(enum master_field field, struct view text)
{
    bool dash = view_equal_cstr(text, "-");
    switch (field) {
    case FIELD_TYPE:
        return valid_type(text);
    case FIELD_PRIVATE:
    case FIELD_UNPRIVILEGED:
    case FIELD_CHROOT:
        return dash || view_equal_cstr(text, "y") || view_equal_cstr(text, "n");
    case FIELD_WAKEUP:
        if (text.len > 0 && text.ptr[text.len - 1] == '?') {
            text = view_first(text, text.len - 1);
            return text.len == 0 || valid_number(text);
        }
        return dash || valid_number(text);
    case FIELD_PROCESS_LIMIT:
        return dash || valid_number(text);
    case FIELD_SERVICE:
    case FIELD_COMMAND:
        break;
    }
    return text.len > 0;
}

/* The {group} at the start of *REST, which moves behind it. */
static enum outcome next_group(struct view *rest, struct view *word, const char *where,
                               struct err *err)
{
    size_t depth = 0;
    size_t end = 0;
    for (; end < rest->len; end++) {
        if (rest->ptr[end] == '{') {
            depth++;
        } else if (rest->ptr[end] == '}' && --depth == 0) {
            break;
        }
    }
    if (end == rest->len) {
        return err_perm(err, "5.3.0", "%s: missing '}' in \"%.*s\"", where,
                        VIEW_ARG(*rest));
    }
    *word = view_trim(view_of(rest->ptr + 1, end - 1));
    struct view after = view_from(*rest, end + 1);
    if (after.len > 0 && !ascii_space(after.ptr[0])) {
        return err_perm(err, "5.3.0", "%s: syntax error after '}' in \"%.*s\"", where,
                        VIEW_ARG(*rest));
    }
    *rest = after;
    return OK;
}

static void add_word(struct arena *arena, struct master_line *line, struct view word)
{
    line->words[line->word_count++] = arena_cstr(arena, word);
}

/* The command's words into LINE, which has room for every word of REST.  Where options
 * may stand, "-o{a b}" is "-o {a b}". */
static enum outcome split_command(struct arena *arena, struct view rest,
                                  const char *where, struct master_line *line,
                                  struct err *err)
{
    struct view word = VIEW("");
    for (rest = view_trim(rest); rest.len > 0; rest = view_trim(rest)) {
        if (view_starts(rest, VIEW("-o{")) && line->word_count > 0 &&
            master_line_first_argument(line) == line->word_count) {
            add_word(arena, line, VIEW("-o"));
            rest = view_from(rest, 2);
        }
        if (rest.ptr[0] != '{') {
            (void)view_next_word(&rest, " \t\r\n\v\f", &word);
        } else if (next_group(&rest, &word, where, err) != OK) {
            return PERMFAIL;
        }
        add_word(arena, line, word);
    }
    CHECK(line->word_count > 0);
    line->words[line->word_count] = NULL;
    return OK;
}

enum outcome master_line_parse(struct arena *arena, struct view text, const char *file,
                               int line, struct master_line *out, struct err *err)
{
    struct view rest = text;
    struct view word;
    *out = (struct master_line){.line = line, .bad_field = FIELD_COMMAND};
    const char *where = arena_printf(arena, "file %s: line %d", file, line);
    for (int i = 0; i < FIELD_COMMAND; i++) {
        if (!view_next_word(&rest, " \t\r\n\v\f", &word)) {
            return err_perm(err, "5.3.0", "%s: bad field count", where);
        }
        out->fields[i] = arena_cstr(arena, word);
    }
    if (view_trim(rest).len == 0) {
        return err_perm(err, "5.3.0", "%s: bad field count", where);
    }
    for (int i = 0; i < FIELD_COMMAND; i++) {
        if (!master_field_valid((enum master_field)i, view_cstr(out->fields[i]))) {
            out->bad_field = (enum master_field)i;
            return err_perm(err, "5.3.0", "invalid %s field \"%s\" in \"%.*s\"",
                            field_names[i], out->fields[i], VIEW_ARG(text));
        }
    }
    /* A word takes a byte and the white space behind it. */
    size_t room = rest.len / 2 + 2;
    out->words = arena_alloc(arena, room * sizeof(out->words[0]));
    enum outcome outcome = split_command(arena, rest, where, out, err);
    CHECK((size_t)out->word_count < room);
    return outcome;
}

int master_line_option(const struct master_line *line, int index,
                       const char **setting_out)
{
    const char *word = index < line->word_count ? line->words[index] : "";
    *setting_out = NULL;
    if (word[0] != '-' || word[1] != 'o') {
        return 0;
    }
    if (word[2] != '\0') {
        *setting_out = word + 2;
        return 1;
    }
    *setting_out = line->words[index + 1];
    return *setting_out != NULL ? 2 : 1;
}

int master_line_first_argument(const struct master_line *line)
{
    const char *setting;
    int index = 1;
    CHECK(line->word_count > 0);
    while (index < line->word_count && line->words[index][0] == '-') {
        int taken = master_line_option(line, index, &setting);
        index += taken > 0 ? taken : 1;
    }
    return index;
}
