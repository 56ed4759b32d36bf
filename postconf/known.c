/* SPDX-License-Identifier: MIT */
/*
 * The set of known parameters.  A name that a user invented is known when a value of
 * main.cf or master.cf refers to it, when it is a restriction class, or when a
 * database table reads it; any other one is most probably misspelt.
 */
#include "postconf/known.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "base/log.h"
#include "conf/expand.h"
#include "conf/param_table.h"
#include "conf/settings.h"
#include "postconf/table_files.h"
#include "postconf/tables.h"

struct known {
    struct arena arena;
    const struct conf *conf;
    const struct services *services;
    bool warn;
    struct htab *parameters;  /* name to struct known_parameter */
    struct htab *referenced;  /* names that a value asks for */
    struct htab *table_files; /* "type:file" that were looked at */
    const struct known_parameter **sorted;
};

/* Where a value that is being scanned stands. */
struct scan {
    struct known *known;
    const struct master_line *line; /* NULL: main.cf */
};

static void add(struct known *known, struct view name, enum postconf_class class,
                const char *value)
{
    if (htab_get(known->parameters, name) == NULL) {
        struct known_parameter *p = arena_alloc(&known->arena, sizeof(*p));
        p->name = arena_cstr(&known->arena, name);
        p->class = class;
        p->value = value;
        (void)htab_put(known->parameters, name, p);
    }
}

/* --- names that services bring ---------------------------------------------------- */

enum agent { AGENT_NONE, AGENT_QUEUE, AGENT_PIPE, AGENT_SPAWN };

/* Which families a service has: what the queue manager schedules, what has a time
 * limit. */
static enum agent agent_kind(const struct master_line *line)
{
    static const char *const agents[] = {"smtp", "lmtp", "local", "virtual", "error"};
    const char *program = line->words[0];
    if (strcmp(program, "spawn") == 0) {
        return AGENT_SPAWN;
    }
    for (size_t i = 0; i < ARRAY_SIZE(agents); i++) {
        if (strcmp(program, agents[i]) == 0) {
            return AGENT_QUEUE;
        }
    }
    return strcmp(program, "pipe") == 0 ? AGENT_PIPE : AGENT_NONE;
}

static void add_service(struct known *known, const struct master_line *line)
{
    size_t count;
    const struct param_family *families = param_families(&count);
    enum agent kind = agent_kind(line);
    if (kind == AGENT_NONE) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool time_limit = families[i].param == P_command_time_limit;
        if (kind == AGENT_SPAWN ? time_limit : (kind == AGENT_PIPE || !time_limit)) {
            const char *name = arena_printf(
                &known->arena, "%s%s", line->fields[FIELD_SERVICE], families[i].suffix);
            const char *value =
                arena_printf(&known->arena, "$%s", param_row(families[i].param)->name);
            add(known, view_cstr(name), CLASS_SERVICE, value);
        }
    }
}

/* Rows that belong to the service "local", where there is one. */
static bool is_of_local(enum param param)
{
    return param == P_local_destination_concurrency_limit ||
           param == P_local_destination_recipient_limit ||
           param == P_local_transport_concurrency_limit;
}

static bool has_local(const struct services *services)
{
    for (int i = 0; i < services->count; i++) {
        const struct master_line *line = &services->lines[i];
        if (strcmp(line->fields[FIELD_SERVICE], "local") == 0 &&
            agent_kind(line) != AGENT_NONE) {
            return true;
        }
    }
    return false;
}

static void add_rows(struct known *known)
{
    bool local = has_local(known->services);
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        enum postconf_class class =
            local && is_of_local((enum param)i) ? CLASS_SERVICE : CLASS_BUILTIN;
        add(known, view_cstr(param_row((enum param)i)->name), class, NULL);
    }
}

/* --- names that values ask for ---------------------------------------------------- */

/* The setting of the option at word *INDEX, which moves on; false: no option there. */
static bool next_option(const struct master_line *line, int *index, struct view *name,
                        struct view *value)
{
    const char *setting;
    int taken = master_line_option(line, *index, &setting);
    *index += taken > 0 ? taken : 1;
    return setting != NULL && conf_split_setting(view_cstr(setting), name, value, NULL);
}

/* Is NAME set again at or behind word INDEX? */
static bool set_again(const struct master_line *line, int index, struct view name)
{
    struct view other, value;
    int end = master_line_first_argument(line);
    while (index < end) {
        if (next_option(line, &index, &other, &value) && view_equal(name, other)) {
            return true;
        }
    }
    return false;
}

/* Call BODY for each "-o name=value" of LINE that holds: the last one of a name. */
static void each_option(const struct master_line *line,
                        void (*body)(void *context, struct view name,
                                     struct view value),
                        void *context)
{
    struct view name, value;
    int end = master_line_first_argument(line);
    for (int i = 1; i < end;) {
        if (next_option(line, &i, &name, &value) && !set_again(line, i, name)) {
            body(context, name, value);
        }
    }
}

static const char *file_of(const struct scan *scan)
{
    return scan->line != NULL ? scan->known->services->file
                              : conf_file(scan->known->conf);
}

static void note_name(void *context, struct view name)
{
    struct scan *scan = context;
    struct known *known = scan->known;
    (void)htab_put(known->referenced, name, known);
    bool defined = htab_get(known->parameters, name) != NULL || param_is_legacy(name) ||
                   conf_find_setting(known->conf, name) != NULL ||
                   (scan->line != NULL && set_again(scan->line, 1, name));
    if (!defined && known->warn) {
        log_warning("%s: undefined parameter: %.*s", file_of(scan), VIEW_ARG(name));
    }
}

static void note_quietly(void *context, struct view name)
{
    struct known *known = context;
    (void)htab_put(known->referenced, name, known);
}

static void warn_syntax(void *context, const char *message)
{
    struct scan *scan = context;
    if (scan->known->warn) {
        log_warning("%s", message);
    }
}

/* The $names of raw values are no parameters. */
static bool is_raw(struct view name)
{
    enum param param;
    return param_find(name, &param) && param_row(param)->type == PARAM_RAW;
}

/* What becomes of VALUE is what a list is made from; false: nothing does. */
static bool expand_quietly(const struct known *known, struct view value,
                           struct str *out)
{
    char *text = xviewdup(value);
    bool good = conf_expand(known->conf, text, out, NULL) == OK;
    free(text);
    return good;
}

/* Names that smtpd takes for restrictions of the user's own. */
static void note_classes(struct known *known, struct view value)
{
    STR_AUTO struct str expanded = {0};
    struct view item;
    if (expand_quietly(known, value, &expanded)) {
        struct view rest = str_view(&expanded);
        while (conf_list_next(&rest, &item)) {
            note_quietly(known, item);
        }
    }
}

static void warn_braces(const struct scan *scan, struct view value)
{
    STR_AUTO struct str expanded = {0};
    struct view place;
    if (!scan->known->warn || view_index(value, '{') == value.len ||
        !expand_quietly(scan->known, value, &expanded)) {
        return;
    }
    const char *mistake = tables_check_braces(str_view(&expanded), &place);
    if (mistake != NULL) {
        log_warning("%s: %s in \"%.*s\"", scan->line != NULL ? "master.cf" : "main.cf",
                    mistake, VIEW_ARG(place));
    }
}

static void scan_value(void *context, struct view name, struct view value)
{
    struct scan *scan = context;
    if (is_raw(name)) {
        return;
    }
    (void)expand_scan(value, note_name, warn_syntax, scan);
    if (htab_get(scan->known->parameters, name) != NULL) {
        tables_each_setting(value, note_quietly, scan->known);
        warn_braces(scan, value);
        if (scan->known->warn) {
            table_files_check(value, scan->known->table_files);
        }
    }
    if (view_equal_cstr(name, "smtpd_restriction_classes")) {
        note_classes(scan->known, value);
    }
}

static void scan_main(struct known *known)
{
    struct scan scan = {.known = known};
    size_t cursor = 0;
    const struct conf_setting *setting;
    while ((setting = conf_next_setting(known->conf, &cursor)) != NULL) {
        scan_value(&scan, view_cstr(setting->name), view_cstr(setting->value));
    }
}

/* --- names that nothing uses ------------------------------------------------------ */

static bool is_used(const struct known *known, struct view name)
{
    return htab_get(known->parameters, name) != NULL || param_is_legacy(name) ||
           htab_get(known->referenced, name) != NULL;
}

static void report_unused(const char *file, int line, struct view name,
                          struct view value)
{
    log_warning("%s: unused parameter: %.*s=%.*s", file, VIEW_ARG(name),
                VIEW_ARG(value));
    const char *suggestion = param_suggest(name);
    if (suggestion != NULL) {
        log_hint("%s, line %d: is \"%.*s\" a misspelling of \"%s\"?", file, line,
                 VIEW_ARG(name), suggestion);
    } else {
        log_hint("%s, line %d: nothing reads \"%.*s\"", file, line, VIEW_ARG(name));
    }
}

/* Postfix 3.9 and later warn; the words are theirs. */
static void hint_outdated(const char *file, int line, struct view name)
{
    const char *replacement = param_replacement(name);
    if (replacement != NULL && replacement[0] != '\0') {
        log_hint(
            "%s, line %d: support for parameter \"%.*s\" will be removed; instead, "
            "specify \"%s\"",
            file, line, VIEW_ARG(name), replacement);
    } else if (replacement != NULL) {
        log_hint(
            "%s, line %d: support for parameter \"%.*s\" will be removed; instead, "
            "do not specify (leave at default)",
            file, line, VIEW_ARG(name));
    }
}

static void check_name(const struct known *known, const char *file, int line,
                       struct view name, struct view value)
{
    if (!is_used(known, name)) {
        report_unused(file, line, name, value);
    } else {
        hint_outdated(file, line, name);
    }
}

static void check_option(void *context, struct view name, struct view value)
{
    const struct scan *scan = context;
    check_name(scan->known, file_of(scan), scan->line->line, name, value);
}

/* The user's own names of main.cf become known. */
static void add_settings(struct known *known)
{
    size_t cursor = 0;
    const struct conf_setting *setting;
    while ((setting = conf_next_setting(known->conf, &cursor)) != NULL) {
        struct view name = view_cstr(setting->name);
        if (is_used(known, name)) {
            add(known, name, CLASS_USER, setting->value);
        }
    }
}

static void each_service_option(struct known *known,
                                void (*body)(void *context, struct view name,
                                             struct view value))
{
    for (int i = 0; i < known->services->count; i++) {
        struct scan scan = {.known = known, .line = &known->services->lines[i]};
        each_option(scan.line, body, &scan);
    }
}

struct known *known_new(const struct conf *conf, const struct services *services,
                        bool warn)
{
    CHECK(conf != NULL && services != NULL);
    struct known *known = xcalloc(1, sizeof(*known));
    known->conf = conf;
    known->services = services;
    known->warn = warn;
    known->parameters = htab_new();
    known->referenced = htab_new();
    known->table_files = htab_new();
    add_rows(known);
    for (int i = 0; i < services->count; i++) {
        add_service(known, &services->lines[i]);
    }
    scan_main(known);
    each_service_option(known, scan_value);
    add_settings(known);
    return known;
}

void known_report_unused(struct known *known, bool main_cf)
{
    size_t cursor = 0;
    const struct conf_setting *setting;
    while (main_cf && (setting = conf_next_setting(known->conf, &cursor)) != NULL) {
        check_name(known, conf_file(known->conf), setting->line,
                   view_cstr(setting->name), view_cstr(setting->value));
    }
    each_service_option(known, check_option);
}

void known_free(struct known **known)
{
    struct known *k = *known;
    htab_free(&k->parameters, NULL);
    htab_free(&k->referenced, NULL);
    htab_free(&k->table_files, NULL);
    arena_clear(&k->arena);
    free(k->sorted);
    free(k);
    *known = NULL;
}

const struct known_parameter *known_find(const struct known *known, struct view name)
{
    return htab_get(known->parameters, name);
}

static int compare_names(const void *a, const void *b)
{
    const struct known_parameter *const *left = a;
    const struct known_parameter *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

const struct known_parameter *const *known_sorted(struct known *known,
                                                  size_t *count_out)
{
    size_t count = htab_count(known->parameters);
    size_t cursor = 0;
    size_t at = 0;
    struct view name;
    void *parameter;
    if (known->sorted == NULL) {
        known->sorted = xreallocarray(NULL, count, sizeof(known->sorted[0]));
        while (htab_next(known->parameters, &cursor, &name, &parameter)) {
            known->sorted[at++] = parameter;
        }
        qsort(known->sorted, count, sizeof(known->sorted[0]), compare_names);
    }
    CHECK(count >= PARAM_COUNT);
    *count_out = count;
    return known->sorted;
}
