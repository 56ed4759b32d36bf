/* SPDX-License-Identifier: MIT */
/*
 * Parameters as "name = value".  Text is shown as it was written, unless -x asks for
 * what it means.
 */
#include "postconf/show.h"

#include <stdlib.h>

#include "base/log.h"
#include "conf/expand.h"
#include "conf/param_table.h"
#include "conf/settings.h"
#include "postconf/print.h"

static void warn(void *context, const char *message)
{
    (void)context;
    log_warning("%s", message);
}

char *show_expand(const struct conf *conf, const char *text)
{
    struct str out = {0};
    if (!conf_expand_report(conf, text, &out, warn, NULL)) {
        log_fatal("macro processing error");
    }
    return str_steal(&out);
}

void show_check_settings(const struct conf *conf)
{
    size_t cursor = 0;
    const struct conf_setting *setting;
    while ((setting = conf_next_setting(conf, &cursor)) != NULL) {
        enum param param;
        if (param_find(view_cstr(setting->name), &param) &&
            param_row(param)->type != PARAM_RAW) {
            free(show_expand(conf, setting->value));
        }
    }
    uint64_t level;
    char *text = show_expand(conf, conf_written(conf, P_compatibility_level));
    if (!expand_parse_level(view_cstr(text), &level)) {
        log_warning("malformed compatibility level syntax: \"%s\"", text);
        log_fatal("macro processing error");
    }
    free(text);
}

/* The text of PARAMETER before expansion. */
static const char *written(const struct request *request, const struct conf *conf,
                           const struct known_parameter *parameter)
{
    enum param param;
    struct view name = view_cstr(parameter->name);
    const struct conf_setting *setting = conf_find_setting(conf, name);
    if (setting != NULL && !request->defaults) {
        return setting->value;
    }
    return parameter->value == NULL && param_find(name, &param)
               ? conf_default(conf, param)
               : parameter->value;
}

static void show_parameter(const struct request *request, const struct conf *conf,
                           const struct known_parameter *parameter)
{
    enum param param;
    struct view name = view_cstr(parameter->name);
    if (request->only_set && conf_find_setting(conf, name) == NULL) {
        return;
    }
    const char *text = written(request, conf, parameter);
    bool raw = param_find(name, &param) && param_row(param)->type == PARAM_RAW;
    if (!request->expand || raw) {
        print_setting(request, parameter->name, text);
        return;
    }
    char *value = show_expand(conf, text);
    print_setting(request, parameter->name, value);
    free(value);
}

static void show_all(const struct request *request, const struct conf *conf,
                     struct known *known)
{
    size_t count;
    const struct known_parameter *const *parameters = known_sorted(known, &count);
    for (size_t i = 0; i < count; i++) {
        if ((parameters[i]->class & request->classes) != 0) {
            show_parameter(request, conf, parameters[i]);
        }
    }
}

void show_parameters(const struct request *request, const struct conf *conf,
                     struct known *known)
{
    if (request->operand_count == 0) {
        show_all(request, conf, known);
    }
    for (int i = 0; i < request->operand_count; i++) {
        struct view name = view_cstr(request->operands[i]);
        const struct known_parameter *parameter = known_find(known, name);
        if (parameter != NULL) {
            show_parameter(request, conf, parameter);
            continue;
        }
        log_warning("%s: unknown parameter", request->operands[i]);
        const char *suggestion = param_suggest(name);
        if (suggestion != NULL) {
            log_hint("did you mean \"%s\"?", suggestion);
        }
    }
}
