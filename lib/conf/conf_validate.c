/* SPDX-License-Identifier: MIT */
/*
 * All mistakes of a configuration at once, with their lines.  Looks at what is set:
 * defaults are right unless something that is set breaks them, and then that is the
 * mistake to report.
 */
#include "conf/conf_private.h"
#include "conf/expand.h"
#include "conf/settings.h"
#include "conf/value.h"

struct validation {
    void (*report)(void *context, const char *file, int line, const char *text);
    void *context;
    const struct conf *conf;
    const struct conf_setting *setting;
    int mistakes;
};

static void report_mistake(void *context, const char *text)
{
    struct validation *v = context;
    v->mistakes++;
    if (v->report != NULL) {
        v->report(v->context, v->conf->file, v->setting->line, text);
    }
}

const struct param_row *conf_row_of(struct view name)
{
    static const struct param_row any = {.type = PARAM_STR, .value = ""};
    const struct param_row *row = param_row_of(name);
    return row != NULL ? row : &any;
}

static void check_setting(struct validation *v)
{
    STR_AUTO struct str mistake = {0};
    struct conf_value value;
    struct conf_report report = {report_mistake, v};
    struct view name = view_cstr(v->setting->name);
    const struct param_row *row = conf_row_of(name);
    CHECK(row != NULL);
    int before = v->mistakes;
    bool good = conf_evaluate(v->conf, row, v->setting->name, v->setting->value,
                              &report, &value, &mistake);
    /* The language's own message says more than "processing error". */
    if (!good && v->mistakes == before) {
        str_add_cstr(&mistake, " (allowed: ");
        value_allowed(row, &mistake);
        str_add_byte(&mistake, ')');
        report_mistake(v, str_ptr(&mistake));
    }
    uint64_t level;
    if (good && view_equal_cstr(name, "compatibility_level") &&
        !expand_parse_level(view_cstr(value.text), &level)) {
        str_printf(&mistake, "malformed compatibility level syntax: \"%s\"",
                   value.text);
        report_mistake(v, str_ptr(&mistake));
    }
}

bool conf_validate(const struct conf *conf,
                   void (*report)(void *context, const char *file, int line,
                                  const char *text),
                   void *context)
{
    struct validation v = {.report = report, .context = context, .conf = conf};
    size_t cursor = 0;
    while ((v.setting = conf_next_setting(conf, &cursor)) != NULL) {
        check_setting(&v);
    }
    return v.mistakes == 0;
}

void conf_each_unread(const struct conf *conf,
                      void (*report)(void *context, const char *file, int line,
                                     const char *name),
                      void *context)
{
    size_t cursor = 0;
    const struct conf_setting *setting;
    while ((setting = conf_next_setting(conf, &cursor)) != NULL) {
        if (setting->line > 0 && param_is_unread(view_cstr(setting->name))) {
            report(context, conf->file, setting->line, setting->name);
        }
    }
}
