/* SPDX-License-Identifier: MIT */
/* Formats with "%s", and the rules about which keys are asked for. */
#include "map/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"

/* --- keys -------------------------------------------------------------------- */

void map_key_split(struct view key, struct map_key *out)
{
    size_t at = view_last_index(key, '@');
    out->whole = key;
    out->user = view_first(key, at);
    out->domain = view_from(key, at + 1);
    out->qualified = out->domain.len > 0;
}

/* Part NUMBER (1 is the last) of a domain; empty: it has not so many. */
static struct view domain_part(struct view domain, unsigned number)
{
    while (domain.len > 0) {
        size_t dot = view_last_index(domain, '.');
        struct view part = dot < domain.len ? view_from(domain, dot + 1) : domain;
        domain = dot < domain.len ? view_first(domain, dot) : view_of("", 0);
        if (part.len > 0 && --number == 0) {
            return part;
        }
    }
    return view_of("", 0);
}

/* --- formats ----------------------------------------------------------------- */

struct format_part {
    struct view text; /* if LETTER is 0 */
    char letter;
};

struct map_format {
    char *text;
    struct format_part *parts;
    size_t count;
};

static bool is_letter(char c)
{
    return c != '\0' && strchr("suSUdD123456789", c) != NULL;
}

static void add_part(struct map_format *format, struct view text, char letter)
{
    if (text.len > 0 || letter != 0) {
        format->parts =
            xreallocarray(format->parts, format->count + 1, sizeof(format->parts[0]));
        format->parts[format->count++] = (struct format_part){text, letter};
    }
}

struct map_format *map_format_new(const char *text)
{
    struct map_format *format = xcalloc(1, sizeof(*format));
    format->text = xstrdup(text);
    struct view rest = view_cstr(format->text);
    while (rest.len > 0) {
        size_t percent = view_index(rest, '%');
        add_part(format, view_first(rest, percent), 0);
        if (percent == rest.len) {
            break;
        }
        rest = view_from(rest, percent + 1);
        char letter = rest.len > 0 ? rest.ptr[0] : '\0';
        if (letter == '%') {
            add_part(format, view_first(rest, 1), 0);
        } else if (is_letter(letter)) {
            add_part(format, view_of("", 0), letter);
        } else {
            map_format_free(&format);
            return NULL;
        }
        rest = view_from(rest, 1);
    }
    return format;
}

void map_format_free(struct map_format **format)
{
    if (*format != NULL) {
        free((*format)->text);
        free((*format)->parts);
        free(*format);
        *format = NULL;
    }
}

bool map_format_is_fixed(const struct map_format *format)
{
    for (size_t i = 0; i < format->count; i++) {
        if (format->parts[i].letter != 0) {
            return false;
        }
    }
    return true;
}

/* What LETTER stands for; empty: KEY has no such part. */
static struct view key_part(const struct map_key *key, char letter)
{
    switch (letter) {
    case 's':
    case 'S':
        return key->whole;
    case 'u':
    case 'U':
        return key->user;
    case 'd':
    case 'D':
        return key->domain;
    default:
        CHECK(letter >= '1' && letter <= '9');
        return domain_part(key->domain, (unsigned)(letter - '0'));
    }
}

bool map_format_fill(const struct map_format *format, const struct map_key *key,
                     map_quote_function *quote, void *context, struct str *out)
{
    for (size_t i = 0; i < format->count; i++) {
        const struct format_part *part = &format->parts[i];
        if (part->letter == 0) {
            str_add(out, part->text);
            continue;
        }
        struct view text = key_part(key, part->letter);
        if (text.len == 0 || !quote(context, text, out)) {
            return false;
        }
    }
    return str_ok(out);
}

/* --- what such tables have in common ----------------------------------------- */

struct map_format *map_query_format(struct map_settings *settings, const char *kind,
                                    const char *text)
{
    struct map_format *format = map_format_new(text);
    if (format == NULL) {
        map_settings_fail(settings, "%s: Invalid %s template: %s",
                          map_settings_title(settings), kind, text);
    }
    return format;
}

void map_query_init(struct map_query *query, const struct conf *conf,
                    struct map_settings *settings, const char *result_fallback)
{
    query->title = map_settings_title(settings);
    query->result =
        map_query_format(settings, "result",
                         map_settings_str(settings, "result_format", result_fallback));
    query->limit =
        map_settings_int(settings, "expansion_limit", 0, INT32_MIN, INT32_MAX);
    const char *domains = map_settings_str(settings, "domain", "");
    if (domains[0] != '\0') {
        query->domains = match_list_open(conf, "domain", domains, MATCH_STRING);
    }
}

void map_query_done(struct map_query *query)
{
    match_list_close(&query->domains);
    map_format_free(&query->result);
}

/* The parts of the key that a result will need are there: otherwise the question
 * could have no answer. */
static bool suits_result(const struct map_query *query, const struct map_key *key)
{
    const struct map_format *result = query->result;
    for (size_t i = 0; result != NULL && i < result->count; i++) {
        char letter = result->parts[i].letter;
        bool of_key = letter != 0 && strchr("sud", letter) == NULL;
        if (of_key && key_part(key, letter).len == 0) {
            return false;
        }
    }
    return true;
}

enum map_result map_query_admits(struct map_query *query, struct view key,
                                 struct map_key *out, struct err *err)
{
    map_key_split(key, out);
    if (key.len == 0 || !suits_result(query, out)) {
        return MAP_MISSING;
    }
    if (query->domains == NULL) {
        return MAP_FOUND;
    }
    if (!out->qualified || out->user.len == 0) {
        return MAP_MISSING;
    }
    return match_list_find(query->domains, out->domain, view_of("", 0), err);
}

static bool fill_result(const struct map_query *query, const struct map_answer *answer,
                        const struct map_key *value, struct str *out)
{
    for (size_t i = 0; i < query->result->count; i++) {
        const struct format_part *part = &query->result->parts[i];
        bool of_value = part->letter != 0 && strchr("sud", part->letter) != NULL;
        struct view text = part->letter == 0
                               ? part->text
                               : key_part(of_value ? value : answer->key, part->letter);
        if (text.len == 0) {
            return false;
        }
        str_add(out, text);
    }
    return true;
}

bool map_query_add(const struct map_query *query, struct map_answer *answer,
                   struct view value, struct err *err)
{
    struct map_key parts;
    STR_AUTO struct str text = {0};
    map_key_split(value, &parts);
    if (value.len == 0 || !fill_result(query, answer, &parts, &text)) {
        return true;
    }
    if (query->limit > 0 && answer->count >= query->limit) {
        log_warning("%s: Expansion limit exceeded for key '%.*s'", query->title,
                    VIEW_ARG(answer->key->whole));
        (void)err_temp(err, "4.3.0", "%s: more than %d results", query->title,
                       query->limit);
        return false;
    }
    if (answer->count++ > 0) {
        str_add_byte(answer->text, ',');
    }
    str_add(answer->text, str_view(&text));
    return true;
}
