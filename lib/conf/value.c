/* SPDX-License-Identifier: MIT */
/*
 * Text to number, truth and time.  Everything here is about one value; where it came
 * from, and what a mistake leads to, is the caller's business.
 */
#include "conf/value.h"

#include <limits.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/number.h"
#include "sys/clock.h"

bool conf_parse_time(struct view text, char default_unit, int64_t *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char unit = default_unit;
    if (text.len > 0 && ascii_alpha(text.ptr[text.len - 1])) {
        unit = text.ptr[text.len - 1];
        text = view_first(text, text.len - 1);
    }
    uint64_t count;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (units[i].unit == unit) {
            /* Postfix keeps seconds in an int. */
            uint64_t most = INT_MAX / (uint64_t)units[i].seconds;
            if (!number_parse_u64(text, most, &count)) {
                return false;
            }
            *out = (int64_t)count * units[i].seconds * CLOCK_SECOND;
            return true;
        }
    }
    return false;
}

/* That of the default, through "$other" too. */
char value_default_unit(const struct param_row *row)
{
    enum param param;
    const char *text = row->value;
    for (int i = 0; i < 8 && text[0] == '$'; i++) {
        if (!param_find(view_cstr(text + 1), &param)) {
            break;
        }
        text = param_row(param)->value;
    }
    size_t len = strlen(text);
    return len > 0 && ascii_alpha(text[len - 1]) ? text[len - 1] : 's';
}

static int64_t parse_bound(const char *text, bool time)
{
    int64_t value;
    bool good = time ? conf_parse_time(view_cstr(text), 's', &value)
                     : number_parse_i64(view_cstr(text), INT64_MIN, INT64_MAX, &value);
    CHECK(good);
    return value;
}

static bool convert_number(const struct param_row *row, const char *name,
                           struct view text, int64_t *out, struct str *mistake)
{
    bool wide = row->type == PARAM_LONG;
    if (!number_parse_i64(text, wide ? INT64_MIN : INT_MIN, wide ? INT64_MAX : INT_MAX,
                          out)) {
        str_printf(mistake, "bad numerical configuration: %s = %.*s", name,
                   VIEW_ARG(text));
        return false;
    }
    if (row->min != NULL && *out < parse_bound(row->min, false)) {
        str_printf(mistake, "invalid %s parameter value %lld < %s", name,
                   (long long)*out, row->min);
        return false;
    }
    if (row->max != NULL && *out > parse_bound(row->max, false)) {
        str_printf(mistake, "invalid %s parameter value %lld > %s", name,
                   (long long)*out, row->max);
        return false;
    }
    return true;
}

static bool convert_time(const struct param_row *row, const char *name,
                         struct view text, char default_unit, int64_t *out,
                         struct str *mistake)
{
    if (!conf_parse_time(text, default_unit, out)) {
        str_printf(mistake, "parameter %s: bad time value or unit: %.*s", name,
                   VIEW_ARG(text));
        return false;
    }
    int64_t min = row->min != NULL ? parse_bound(row->min, true) : 0;
    int64_t max = row->max != NULL ? parse_bound(row->max, true) : INT64_MAX;
    if (*out < min || *out > max) {
        bool low = *out < min;
        str_printf(mistake, "invalid %s: %lld (%s %lld)", name,
                   (long long)(*out / CLOCK_SECOND), low ? "min" : "max",
                   (long long)((low ? min : max) / CLOCK_SECOND));
        return false;
    }
    return true;
}

static bool convert_bool(const char *name, struct view text, int64_t *out,
                         struct str *mistake)
{
    *out = view_equal_nocase_cstr(text, "yes");
    if (*out != 0 || view_equal_nocase_cstr(text, "no")) {
        return true;
    }
    str_printf(mistake, "bad boolean configuration: %s = %.*s", name, VIEW_ARG(text));
    return false;
}

static bool check_length(const struct param_row *row, const char *name,
                         struct view text, struct str *mistake)
{
    if (row->min != NULL && (int64_t)text.len < parse_bound(row->min, false)) {
        str_printf(mistake, "bad string length %zu < %s: %s = %.*s", text.len, row->min,
                   name, VIEW_ARG(text));
        return false;
    }
    if (row->max != NULL && (int64_t)text.len > parse_bound(row->max, false)) {
        str_printf(mistake, "bad string length %zu > %s: %s = %.*s", text.len, row->max,
                   name, VIEW_ARG(text));
        return false;
    }
    return true;
}

bool value_convert(const struct param_row *row, const char *name, struct view text,
                   char default_unit, int64_t *number_out, struct str *mistake)
{
    str_clear(mistake);
    *number_out = 0;
    switch (row->type) {
    case PARAM_STR:
    case PARAM_RAW:
        return check_length(row, name, text, mistake);
    case PARAM_INT:
    case PARAM_LONG:
        return convert_number(row, name, view_trim(text), number_out, mistake);
    case PARAM_BOOL:
        return convert_bool(name, view_trim(text), number_out, mistake);
    case PARAM_TIME:
        return convert_time(row, name, view_trim(text), default_unit, number_out,
                            mistake);
    }
    CHECK(row->type <= PARAM_TIME);
    return false;
}

static void add_bounds(const struct param_row *row, struct str *out)
{
    if (row->min != NULL && row->max != NULL) {
        str_printf(out, " from %s to %s", row->min, row->max);
    } else if (row->min != NULL) {
        str_printf(out, " of at least %s", row->min);
    } else if (row->max != NULL) {
        str_printf(out, " of at most %s", row->max);
    }
}

void value_allowed(const struct param_row *row, struct str *out)
{
    switch (row->type) {
    case PARAM_STR:
    case PARAM_RAW:
        str_add_cstr(out, row->min == NULL && row->max == NULL ? "any text" : "a text");
        if (row->min != NULL) {
            str_printf(out, " of %s or more characters", row->min);
        }
        if (row->max != NULL) {
            str_printf(out, " of at most %s characters", row->max);
        }
        break;
    case PARAM_INT:
    case PARAM_LONG:
        str_add_cstr(out, "a whole number");
        add_bounds(row, out);
        break;
    case PARAM_BOOL:
        str_add_cstr(out, "yes or no");
        break;
    case PARAM_TIME:
        str_add_cstr(out, "a time");
        add_bounds(row, out);
        str_printf(out, ": a number and s, m, h, d or w (without a unit: %c)",
                   value_default_unit(row));
        break;
    }
}
