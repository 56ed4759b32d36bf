/* SPDX-License-Identifier: MIT */
/*
 * master.cf as the master needs it: defaults filled in, "-o" options taken out of the
 * arguments.  One bad line makes the whole file bad.
 */
#include "conf/master_cf.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/logical_line.h"
#include "conf/master_line.h"
#include "conf/settings.h"
#include "sys/file.h"

enum { MASTER_CF_MOST = 4 * 1024 * 1024 };

static const struct {
    const char *name;
    enum service_type type;
} types[] = {{"inet", SERVICE_INET},
             {"unix", SERVICE_UNIX},
             {"fifo", SERVICE_FIFO},
             {"pass", SERVICE_PASS},
             {"unix-dgram", SERVICE_UNIX_DGRAM}};

const char *service_type_name(enum service_type type)
{
    CHECK((size_t)type < ARRAY_SIZE(types) && types[type].type == type);
    return types[type].name;
}

static enum service_type find_type(const char *name)
{
    size_t i = 0;
    while (strcmp(types[i].name, name) != 0) {
        i++;
        CHECK(i < ARRAY_SIZE(types));
    }
    return types[i].type;
}

/* "y", "n", or "-" for the default. */
static bool flag(const char *text, bool by_default)
{
    return text[0] == '-' ? by_default : text[0] == 'y';
}

/* The number at the start of TEXT, which was checked to be one; BY_DEFAULT for "-". */
static int number(const char *text, int by_default)
{
    struct view digits = view_cstr(text);
    uint64_t value = 0;
    if (view_equal_cstr(digits, "-")) {
        return by_default;
    }
    digits = view_first(digits, view_index(digits, '?'));
    CHECK(digits.len == 0 || number_parse_u64(digits, INT32_MAX, &value));
    return (int)value;
}

static void fill_fields(const struct master_line *line, struct master_entry *entry)
{
    const char *wakeup = line->fields[FIELD_WAKEUP];
    entry->name = xstrdup(line->fields[FIELD_SERVICE]);
    entry->type = find_type(line->fields[FIELD_TYPE]);
    entry->private_socket = flag(line->fields[FIELD_PRIVATE], true);
    entry->unprivileged = flag(line->fields[FIELD_UNPRIVILEGED], true);
    entry->chroot = flag(line->fields[FIELD_CHROOT], false);
    entry->wakeup = number(wakeup, 0);
    entry->wakeup_if_used = strchr(wakeup, '?') != NULL;
    entry->max_processes = number(line->fields[FIELD_PROCESS_LIMIT], -1);
    entry->program = xstrdup(line->words[0]);
    entry->line = line->line;
}

static enum outcome add_option(struct master_entry *entry, const char *setting,
                               const char *file, struct err *err)
{
    struct view name, value;
    struct err mistake;
    if (setting == NULL) {
        return err_perm(err, "5.3.0", "file %s: line %d: -o requires name=value", file,
                        entry->line);
    }
    if (!conf_split_setting(view_cstr(setting), &name, &value, &mistake)) {
        return err_perm(err, "5.3.0", "file %s: line %d: %s", file, entry->line,
                        mistake.text);
    }
    entry->options = xreallocarray(entry->options, (size_t)entry->option_count + 1,
                                   sizeof(entry->options[0]));
    struct master_option *option = &entry->options[entry->option_count++];
    option->name = xviewdup(name);
    option->value = xviewdup(value);
    return OK;
}

static enum outcome fill_arguments(const struct master_line *line, const char *file,
                                   struct master_entry *entry, struct err *err)
{
    int count = 0;
    int first = master_line_first_argument(line);
    const char *setting;
    entry->arguments =
        xcalloc((size_t)line->word_count + 1, sizeof(entry->arguments[0]));
    for (int i = 1; i < line->word_count;) {
        int taken = i < first ? master_line_option(line, i, &setting) : 0;
        if (taken == 0) {
            entry->arguments[count++] = xstrdup(line->words[i++]);
        } else if (add_option(entry, setting, file, err) != OK) {
            return PERMFAIL;
        } else {
            i += taken;
        }
    }
    return OK;
}

static enum outcome parse_entry(struct master_cf *cf, struct view text,
                                const char *file, int number_of_line, struct err *err)
{
    struct arena arena = {0};
    struct master_line line;
    enum outcome outcome =
        master_line_parse(&arena, text, file, number_of_line, &line, err);
    if (outcome == OK) {
        cf->entries =
            xreallocarray(cf->entries, (size_t)cf->count + 1, sizeof(cf->entries[0]));
        struct master_entry *entry = &cf->entries[cf->count++];
        *entry = (struct master_entry){0};
        fill_fields(&line, entry);
        outcome = fill_arguments(&line, file, entry, err);
    } else if (line.bad_field != FIELD_COMMAND) {
        cf->allowed = master_field_allowed(line.bad_field);
    }
    arena_clear(&arena);
    return outcome;
}

enum outcome master_cf_parse(struct view text, const char *file, struct master_cf *out,
                             struct err *err)
{
    struct logical_line reader = {.rest = text};
    enum outcome outcome = OK;
    *out = (struct master_cf){0};
    while (outcome == OK && logical_line_next(&reader)) {
        struct view line = str_view(&reader.text);
        if (line.len > 0 && ascii_space(line.ptr[0])) {
            outcome = err_perm(
                err, "5.3.0",
                "file %s: line %d: logical line must not start with whitespace", file,
                reader.line);
        } else {
            outcome = parse_entry(out, line, file, reader.line, err);
        }
    }
    if (outcome != OK) {
        out->error_line = reader.line;
    }
    logical_line_done(&reader);
    return outcome;
}

enum outcome master_cf_read(const char *config_directory, struct master_cf *out,
                            struct err *err)
{
    STR_AUTO struct str text = {0};
    char *path = xasprintf("%s/master.cf", config_directory);
    *out = (struct master_cf){0};
    enum outcome outcome = file_read(path, MASTER_CF_MOST, &text, err);
    if (outcome == OK && view_index(str_view(&text), '\0') < text.len) {
        outcome = err_perm(err, "5.3.0", "%s: null byte: not a text file", path);
    }
    if (outcome == OK) {
        outcome = master_cf_parse(str_view(&text), path, out, err);
    }
    free(path);
    return outcome;
}

static bool has_service(const struct master_cf *cf, const struct master_entry *wanted)
{
    for (int i = 0; i < cf->count; i++) {
        if (cf->entries[i].type == wanted->type &&
            strcmp(cf->entries[i].name, wanted->name) == 0) {
            return true;
        }
    }
    return false;
}

enum outcome master_cf_add_missing(struct master_cf *cf, struct view entry,
                                   struct err *err)
{
    struct master_cf more;
    enum outcome outcome = master_cf_parse(entry, "(implied)", &more, err);
    if (outcome == OK && more.count == 1 && !has_service(cf, &more.entries[0])) {
        cf->entries =
            xreallocarray(cf->entries, (size_t)cf->count + 1, sizeof(cf->entries[0]));
        cf->entries[cf->count++] = more.entries[0];
        more.count = 0;
    }
    master_cf_done(&more);
    return outcome;
}

static void free_entry(struct master_entry *entry)
{
    for (int i = 0; i < entry->option_count; i++) {
        free(entry->options[i].name);
        free(entry->options[i].value);
    }
    for (char **argument = entry->arguments; argument != NULL && *argument != NULL;
         argument++) {
        free(*argument);
    }
    free(entry->options);
    free(entry->arguments);
    free(entry->name);
    free(entry->program);
}

void master_cf_done(struct master_cf *cf)
{
    for (int i = 0; i < cf->count; i++) {
        free_entry(&cf->entries[i]);
    }
    free(cf->entries);
    *cf = (struct master_cf){0};
}
