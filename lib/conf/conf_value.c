/* SPDX-License-Identifier: MIT */
/*
 * Values at first use: written text, expanded, converted, kept.  A value that is wrong
 * ends the process, because nothing sensible can be done with half of what the
 * postmaster meant; conf_validate() is for those who want to know before.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "conf/conf_private.h"
#include "conf/expand.h"
#include "conf/value.h"

static const char *lookup_name(void *context, const char *name)
{
    return conf_find_written(context, name);
}

/* Values are kept behind a const configuration: asking twice gives the same. */
static struct conf *writable(const struct conf *conf)
{
    return (struct conf *)(uintptr_t)conf;
}

bool conf_evaluate(const struct conf *conf, const struct param_row *row,
                   const char *name, const char *text, const struct conf_report *report,
                   struct conf_value *out, struct str *mistake)
{
    CHECK(row != NULL && text != NULL && report != NULL);
    struct str expanded = {0};
    struct expand_calls calls = {.lookup = lookup_name,
                                 .report = report->function,
                                 .context = writable(conf),
                                 .report_context = report->context,
                                 .recurse = true};
    bool good = true;
    if (row->type == PARAM_RAW) {
        str_add_cstr(&expanded, text);
    } else {
        good = expand_text(&calls, view_cstr(text), &expanded);
    }
    if (!good) {
        str_set_cstr(mistake, "dictionary mail_dict: macro processing error");
    } else {
        good = value_convert(row, name, str_view(&expanded), value_default_unit(row),
                             &out->number, mistake);
    }
    out->text = arena_cstr(conf->arena, str_view(&expanded));
    str_done(&expanded);
    return good;
}

static void warn(void *context, const char *message)
{
    (void)context;
    log_warning("%s", message);
}

static const struct conf_report to_log = {.function = warn};

NORETURN static void die(const struct conf *conf, const char *name, const char *mistake)
{
    const struct conf_setting *setting = conf_find_setting(conf, view_cstr(name));
    STR_AUTO struct str allowed = {0};
    value_allowed(conf_row_of(view_cstr(name)), &allowed);
    if (setting != NULL && setting->line > 0) {
        log_hint("%s, line %d: %s takes %s", conf->file, setting->line, name,
                 str_ptr(&allowed));
    }
    log_fatal("%s", mistake);
}

/* NAME's value if main.cf has it, with the type of ROW. */
static void evaluate_or_die(const struct conf *conf, const struct param_row *row,
                            const char *name, const char *text, struct conf_value *out)
{
    STR_AUTO struct str mistake = {0};
    if (!conf_evaluate(conf, row, name, text, &to_log, out, &mistake)) {
        die(conf, name, str_ptr(&mistake));
    }
    CHECK(out->text != NULL);
    out->ready = true;
}

static const struct conf_value *get(const struct conf *conf, enum param param)
{
    CHECK(param < PARAM_COUNT);
    struct conf_value *value = &conf->values[param];
    if (!value->ready) {
        writable(conf)->asked = true;
        const struct param_row *row = param_row(param);
        evaluate_or_die(conf, row, row->name, conf_written(conf, param), value);
    }
    return value;
}

const char *conf_str(const struct conf *conf, enum param param)
{
    CHECK(param_row(param)->type != PARAM_RAW);
    return get(conf, param)->text;
}

const char *conf_raw(const struct conf *conf, enum param param)
{
    return conf_written(conf, param);
}

static int64_t get_number(const struct conf *conf, enum param param,
                          enum param_type type)
{
    CHECK(param_row(param)->type == type);
    return get(conf, param)->number;
}

int conf_int(const struct conf *conf, enum param param)
{
    return (int)get_number(conf, param, PARAM_INT);
}

int64_t conf_long(const struct conf *conf, enum param param)
{
    return get_number(conf, param, PARAM_LONG);
}

bool conf_bool(const struct conf *conf, enum param param)
{
    return get_number(conf, param, PARAM_BOOL) != 0;
}

int64_t conf_time(const struct conf *conf, enum param param)
{
    return get_number(conf, param, PARAM_TIME);
}

void conf_check_shared(const struct conf *conf)
{
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        if (strcmp(param_row((enum param)i)->readers, "*") == 0) {
            (void)get(conf, (enum param)i);
        }
    }
    uint64_t level;
    const char *text = conf_str(conf, P_compatibility_level);
    if (!expand_parse_level(view_cstr(text), &level)) {
        log_fatal("malformed compatibility level syntax: \"%s\"", text);
    }
}

/* --- names that are not rows ------------------------------------------------------ */

/* TRANSPORT's own setting, or the row that holds without it. */
static struct conf_value get_transport(const struct conf *conf, const char *transport,
                                       const char *suffix, enum param default_param)
{
    enum param param;
    struct conf_value value = {0};
    CHECK(suffix[0] == '_');
    char *name = xasprintf("%s%s", transport, suffix);
    const struct conf_setting *setting = conf_find_setting(conf, view_cstr(name));
    if (param_find(view_cstr(name), &param) &&
        param_row(param)->type == param_row(default_param)->type) {
        value = *get(conf, param);
    } else if (setting != NULL) {
        evaluate_or_die(conf, param_row(default_param), name, setting->value, &value);
    } else {
        value = *get(conf, default_param);
    }
    free(name);
    return value;
}

int conf_transport_int(const struct conf *conf, const char *transport,
                       const char *suffix, enum param default_param)
{
    CHECK(param_row(default_param)->type == PARAM_INT);
    return (int)get_transport(conf, transport, suffix, default_param).number;
}

int64_t conf_transport_time(const struct conf *conf, const char *transport,
                            const char *suffix, enum param default_param)
{
    CHECK(param_row(default_param)->type == PARAM_TIME);
    return get_transport(conf, transport, suffix, default_param).number;
}

const char *conf_transport_str(const struct conf *conf, const char *transport,
                               const char *suffix, enum param default_param)
{
    CHECK(param_row(default_param)->type == PARAM_STR);
    return get_transport(conf, transport, suffix, default_param).text;
}

/* A user's own parameter behaves like a string parameter without bounds. */
const char *conf_lookup(const struct conf *conf, const char *name)
{
    static const struct param_row plain = {.type = PARAM_STR, .value = ""};
    enum param param;
    struct view key = view_cstr(name);
    if (param_find(key, &param)) {
        return get(conf, param)->text;
    }
    const char *kept = htab_get(conf->others, key);
    const struct conf_setting *setting = conf_find_setting(conf, key);
    if (kept != NULL || setting == NULL) {
        return kept;
    }
    struct conf_value value;
    evaluate_or_die(conf, &plain, name, setting->value, &value);
    (void)htab_put(conf->others, key, value.text);
    return value.text;
}

/* --- texts ------------------------------------------------------------------------ */

/* Keeps the first message: those after it are its consequences. */
static void keep_message(void *context, const char *message)
{
    struct err *err = context;
    if (err->text[0] == '\0') {
        (void)err_perm(err, "5.3.0", "%s", message);
    }
}

static enum outcome expand_with_calls(struct expand_calls *calls, const char *text,
                                      struct str *out, struct err *err)
{
    struct err mistake = {0};
    calls->report = keep_message;
    calls->report_context = &mistake;
    if (expand_text(calls, view_cstr(text), out)) {
        return OK;
    }
    return err_perm(err, "5.3.0", "%s", mistake.text);
}

bool conf_expand_report(const struct conf *conf, const char *text, struct str *out,
                        void (*report)(void *context, const char *message),
                        void *context)
{
    const struct expand_calls calls = {.lookup = lookup_name,
                                       .report = report,
                                       .context = writable(conf),
                                       .report_context = context,
                                       .recurse = true};
    return expand_text(&calls, view_cstr(text), out);
}

enum outcome conf_expand(const struct conf *conf, const char *text, struct str *out,
                         struct err *err)
{
    struct expand_calls calls = {
        .lookup = lookup_name, .context = writable(conf), .recurse = true};
    return expand_with_calls(&calls, text, out, err);
}

enum outcome conf_expand_with(const char *text,
                              const char *(*lookup)(void *context, const char *name),
                              void *context, struct str *out, struct err *err)
{
    struct expand_calls calls = {.lookup = lookup, .context = context};
    return expand_with_calls(&calls, text, out, err);
}
