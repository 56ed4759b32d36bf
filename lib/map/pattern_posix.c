/* SPDX-License-Identifier: MIT */
/*
 * POSIX expressions of the C library.  They know no look-ahead and refuse it; such an
 * expression goes to PCRE2 when regexp_table_fallback says so, because how-to
 * documents written for other C libraries use it in regexp: tables.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "map/pattern.h"

static bool parse_options(struct view options, const char *place, unsigned *flags_out)
{
    int flags = REG_EXTENDED | REG_ICASE;
    for (size_t i = 0; i < options.len; i++) {
        switch (options.ptr[i]) {
        case 'i':
            flags ^= REG_ICASE;
            break;
        case 'm':
            flags ^= REG_NEWLINE;
            break;
        case 'x':
            flags ^= REG_EXTENDED;
            break;
        default:
            log_warning("%s: unknown regexp option \"%c\": skipping this rule", place,
                        options.ptr[i]);
            return false;
        }
    }
    *flags_out = (unsigned)flags;
    return true;
}

/* REASON is why regcomp() refused.  The options mean the same to PCRE2, seen from its
 * own defaults: /i on, and "." and "$" blind to line ends unless /m. */
static bool try_pcre(const struct conf *conf, const struct pattern_text *text,
                     const char *place, const char *reason, struct pattern_expr *out)
{
    if ((text->flags & REG_EXTENDED) == 0) {
        return false;
    }
    STR_AUTO struct str options = {0};
    str_add_cstr(&options, (text->flags & REG_ICASE) != 0 ? "" : "i");
    str_add_cstr(&options, (text->flags & REG_NEWLINE) != 0 ? "ms" : "E");
    struct pattern_text again = *text;
    if (!pattern_pcre.parse_options(str_view(&options), place, &again.flags) ||
        !pattern_pcre.compile(conf, &again, NULL, out)) {
        return false;
    }
    if (strcmp(conf_str(conf, P_regexp_table_fallback), "pcre") != 0) {
        log_hint("PCRE2 accepts this expression: use a pcre: table, or set "
                 "regexp_table_fallback = pcre");
        pattern_expr_free(out);
        return false;
    }
    log_info("%s: not a POSIX expression (%s), using PCRE2 for it", place, reason);
    return true;
}

static bool compile(const struct conf *conf, const struct pattern_text *text,
                    const char *place, struct pattern_expr *out)
{
    int flags = (int)text->flags | (text->want_groups ? 0 : REG_NOSUB);
    regex_t *regex = xcalloc(1, sizeof(*regex));
    int code = regcomp(regex, text->body, flags);
    if (code == 0) {
        out->engine = &pattern_posix;
        out->code = regex;
        out->groups = (unsigned)regex->re_nsub;
        out->syntax = (text->flags & REG_EXTENDED) != 0 ? LITERAL_POSIX : LITERAL_NONE;
        return true;
    }
    char reason[PATTERN_REASON];
    (void)regerror(code, regex, reason, sizeof(reason));
    free(regex);
    if (try_pcre(conf, text, place, reason, out)) {
        return true;
    }
    log_warning("%s: %s", place, reason);
    return false;
}

static bool match(const struct pattern_expr *expr, struct view subject,
                  struct view *groups, size_t count, char *reason, size_t reason_size)
{
    regmatch_t found[PATTERN_MAX_GROUP + 1];
    CHECK(count >= 1 && count <= ARRAY_SIZE(found));
    found[0].rm_so = 0; /* REG_STARTEND: the subject need not end in NUL */
    found[0].rm_eo = (regoff_t)subject.len;
    int code = regexec(expr->code, subject.ptr, count, found, REG_STARTEND);
    if (code != 0) {
        if (code != REG_NOMATCH) {
            (void)regerror(code, expr->code, reason, reason_size);
        }
        return false;
    }
    for (size_t i = 1; i < count; i++) {
        bool set = i <= expr->groups && found[i].rm_so >= 0;
        groups[i] = set ? view_of(subject.ptr + found[i].rm_so,
                                  (size_t)(found[i].rm_eo - found[i].rm_so))
                        : view_of("", 0);
    }
    return true;
}

static void free_code(struct pattern_expr *expr)
{
    regfree(expr->code);
    free(expr->code);
}

const struct pattern_engine pattern_posix = {
    .name = "regexp",
    .bad_index = "out-of-range",
    .unclosed = "skipping",
    .second_pattern = true,
    .parse_options = parse_options,
    .compile = compile,
    .match = match,
    .free = free_code,
};
