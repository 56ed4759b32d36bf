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

/* Is OUT, a value of ROW, what turns something off? */
static bool is_off(const struct param_row *row, const struct conf_value *out)
{
    bool text = row->type == PARAM_STR || row->type == PARAM_RAW;
    return text ? out->text[0] == '\0' : out->number == 0;
}

/* What is not built is off already. */
static bool is_off_by_default(const struct conf *conf, const struct param_row *row)
{
    static const struct conf_report nobody = {0};
    STR_AUTO struct str mistake = {0};
    struct conf_value value = {0};
    return row == param_row(P_biff) || row == param_row(P_in_flow_delay) ||
           (conf_evaluate(conf, row, row->name, row->value, &nobody, &value,
                          &mistake) &&
            is_off(row, &value));
}

bool conf_is_without_effect(const struct conf *conf, const char *name, const char *text)
{
    static const struct conf_report nobody = {0};
    STR_AUTO struct str mistake = {0};
    struct conf_value value = {0};
    const struct param_row *row = param_row_of(view_cstr(name));
    if (row == NULL || row->readers[0] != '\0') {
        return false;
    }
    return !conf_evaluate(conf, row, name, text, &nobody, &value, &mistake) ||
           !is_off(row, &value) || !is_off_by_default(conf, row);
}

void conf_each_unread(const struct conf *conf,
                      void (*report)(void *context, const char *file, int line,
                                     const char *name),
                      void *context)
{
    size_t cursor = 0;
    const struct conf_setting *setting;
    while ((setting = conf_next_setting(conf, &cursor)) != NULL) {
        if (setting->line > 0 &&
            conf_is_without_effect(conf, setting->name, setting->value)) {
            report(context, conf->file, setting->line, setting->name);
        }
    }
}
