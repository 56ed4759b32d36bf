/* SPDX-License-Identifier: MIT */
/*
 * master.cf as lines (-M), as "service/type/field = value" (-F), and as
 * "service/type/parameter = value" (-P).
 */
#include <stdlib.h>

#include "base/log.h"
#include "conf/expand.h"
#include "conf/settings.h"
#include "postconf/print.h"
#include "postconf/show.h"

struct view_of_service {
    const struct request *request;
    const struct conf *conf;
    const struct master_line *line;
    struct arena *arena; /* for one line */
};

/* --- expansion: a service's own options come before main.cf ------------------------
 */

struct option {
    struct view name, value;
};

/* The last "-o NAME=value" of LINE. */
static bool find_option(const struct master_line *line, struct view name,
                        struct option *out)
{
    bool found = false;
    int end = master_line_first_argument(line);
    for (int i = 1; i < end;) {
        const char *setting;
        struct option option;
        int taken = master_line_option(line, i, &setting);
        if (setting != NULL &&
            conf_split_setting(view_cstr(setting), &option.name, &option.value, NULL) &&
            view_equal(option.name, name)) {
            *out = option;
            found = true;
        }
        i += taken > 0 ? taken : 1;
    }
    return found;
}

static const char *lookup(void *context, const char *name)
{
    const struct view_of_service *v = context;
    struct option option;
    if (find_option(v->line, view_cstr(name), &option)) {
        return arena_cstr(v->arena, option.value);
    }
    if (strcmp(name, "service_name") == 0) {
        return v->line->fields[FIELD_SERVICE];
    }
    return conf_find_written(v->conf, name);
}

static void warn(void *context, const char *message)
{
    (void)context;
    log_warning("%s", message);
}

static const char *option_value(const struct view_of_service *v, struct view value)
{
    STR_AUTO struct str out = {0};
    const struct expand_calls calls = {.lookup = lookup,
                                       .report = warn,
                                       .context = (void *)(uintptr_t)v,
                                       .recurse = true};
    if (!v->request->expand) {
        return arena_cstr(v->arena, value);
    }
    if (!expand_text(&calls, value, &out)) {
        log_fatal("macro processing error");
    }
    return arena_cstr(v->arena, str_view(&out));
}

/* LINE with its options in one form, "-o" "name=value", and expanded when asked for. */
static struct master_line normal_line(const struct view_of_service *v)
{
    struct master_line out = *v->line;
    int end = master_line_first_argument(v->line);
    out.word_count = 0;
    out.words =
        arena_alloc(v->arena, (size_t)(2 * v->line->word_count + 1) * sizeof(char *));
    for (int i = 0; i < v->line->word_count;) {
        const char *setting;
        struct view name, value;
        int taken = i > 0 && i < end ? master_line_option(v->line, i, &setting) : 0;
        if (taken > 0 && setting != NULL &&
            conf_split_setting(view_cstr(setting), &name, &value, NULL)) {
            out.words[out.word_count++] = "-o";
            out.words[out.word_count++] = arena_printf(
                v->arena, "%.*s=%s", VIEW_ARG(name), option_value(v, value));
            i += taken;
        } else {
            out.words[out.word_count++] = v->line->words[i++];
        }
    }
    return out;
}

/* --- the three forms -------------------------------------------------------------- */

static void show_line(const struct view_of_service *v)
{
    struct master_line line = normal_line(v);
    print_service(v->request, &line);
}

static const char *full_name(const struct view_of_service *v, const char *name)
{
    return arena_printf(v->arena, "%s/%s/%s", v->line->fields[FIELD_SERVICE],
                        v->line->fields[FIELD_TYPE], name);
}

static void show_fields(const struct view_of_service *v,
                        const struct service_pattern *pattern)
{
    for (int i = 0; i < FIELD_COMMAND; i++) {
        const char *name = master_field_name((enum master_field)i);
        if (service_pattern_part(pattern, 2, view_cstr(name))) {
            print_setting(v->request, full_name(v, name), v->line->fields[i]);
        }
    }
    if (service_pattern_part(pattern, 2, VIEW("command"))) {
        struct master_line line = normal_line(v);
        print_command(v->request, full_name(v, "command"), &line);
    }
}

static int compare_options(const void *a, const void *b)
{
    const struct option *left = a;
    const struct option *right = b;
    size_t len = left->name.len < right->name.len ? left->name.len : right->name.len;
    int order = memcmp(left->name.ptr, right->name.ptr, len);
    return order != 0 ? order
                      : (left->name.len > right->name.len) -
                            (left->name.len < right->name.len);
}

/* The options of the service in alphabetical order, of repeated ones the last. */
static size_t sorted_options(const struct view_of_service *v, struct option *options)
{
    size_t count = 0;
    int end = master_line_first_argument(v->line);
    for (int i = 1; i < end;) {
        const char *setting;
        struct option option;
        int taken = master_line_option(v->line, i, &setting);
        if (setting != NULL &&
            conf_split_setting(view_cstr(setting), &option.name, &option.value, NULL)) {
            size_t at = 0;
            while (at < count && !view_equal(options[at].name, option.name)) {
                at++;
            }
            options[at] = option;
            count += at == count;
        }
        i += taken > 0 ? taken : 1;
    }
    qsort(options, count, sizeof(options[0]), compare_options);
    return count;
}

static bool show_options(const struct view_of_service *v,
                         const struct service_pattern *pattern)
{
    bool matched = false;
    size_t room = (size_t)v->line->word_count + 1;
    struct option *options = arena_alloc(v->arena, room * sizeof(options[0]));
    size_t count = sorted_options(v, options);
    for (size_t i = 0; i < count; i++) {
        if (service_pattern_part(pattern, 2, options[i].name)) {
            matched = true;
            print_setting(v->request,
                          full_name(v, arena_cstr(v->arena, options[i].name)),
                          option_value(v, options[i].value));
        }
    }
    return matched;
}

/* --- patterns --------------------------------------------------------------------- */

static bool show_service(const struct view_of_service *v,
                         const struct service_pattern *pattern)
{
    if (!service_pattern_matches(pattern, v->line)) {
        return false;
    }
    if (v->request->mode == MODE_OPTIONS) {
        return show_options(v, pattern);
    }
    if (v->request->mode == MODE_FIELDS) {
        show_fields(v, pattern);
    } else {
        show_line(v);
    }
    return true;
}

static void parse_pattern(const struct request *request, const char *text,
                          struct service_pattern *out)
{
    static const char *const forms[] = {"service_name[/type[/field]]",
                                        "service_name[/type]",
                                        "service_name[/type[/parameter]]"};
    int form = request->mode == MODE_FIELDS     ? 0
               : request->mode == MODE_SERVICES ? 1
                                                : 2;
    if (!service_pattern_parse(view_cstr(text), form == 1 ? 2 : 3, out)) {
        log_fatal("-%c option requires %s", (char)request->mode, forms[form]);
    }
    if (request->mode == MODE_FIELDS && out->count == 3 &&
        !master_field_find(out->parts[2], NULL) &&
        !view_equal_cstr(out->parts[2], "*")) {
        log_fatal("invalid service attribute name: \"%.*s\"", VIEW_ARG(out->parts[2]));
    }
}

static void show_pattern(const struct request *request, const struct conf *conf,
                         const struct services *services, const char *text)
{
    struct service_pattern pattern = {.count = 0};
    bool matched = false;
    if (text != NULL) {
        parse_pattern(request, text, &pattern);
    }
    for (int i = 0; i < services->count; i++) {
        struct arena arena = {0};
        struct view_of_service v = {.request = request,
                                    .conf = conf,
                                    .line = &services->lines[i],
                                    .arena = &arena};
        matched = show_service(&v, &pattern) || matched;
        arena_clear(&arena);
    }
    if (text != NULL && !matched) {
        log_warning("unmatched request: \"%s\"", text);
    }
}

void show_services(const struct request *request, const struct conf *conf,
                   const struct services *services)
{
    if (request->operand_count == 0) {
        show_pattern(request, conf, services, NULL);
    }
    for (int i = 0; i < request->operand_count; i++) {
        show_pattern(request, conf, services, request->operands[i]);
    }
}
