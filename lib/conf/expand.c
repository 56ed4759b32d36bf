/* SPDX-License-Identifier: MIT */
/*
 * Expansion by recursive descent.  Values may name values: depth and the number of
 * steps are bounded, so that neither a loop nor a tree that doubles at each level
 * keeps a daemon busy.  Branches that are not chosen are not looked at, except by
 * expand_scan(), which looks at everything and chooses nothing.
 */
#include "conf/expand.h"

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/number.h"
#include "conf/expand_function.h"
#include "conf/reference.h"

enum { DEPTH_MOST = 101, STEPS_MOST = 200000 };

struct expander {
    const struct expand_calls *calls; /* NULL: scan only */
    void (*on_name)(void *context, struct view name);
    void (*report)(void *context, const char *message);
    void *context;
    unsigned steps;
    bool complained;
    struct str mistake, name; /* scratch */
};

static bool walk_text(struct expander *e, struct view text, int depth, struct str *out);

/* The message is in e->mistake. */
static bool complain_as_is(struct expander *e)
{
    e->complained = true;
    if (e->report != NULL) {
        e->report(e->context, str_ptr(&e->mistake));
    }
    return false;
}

static bool complain(struct expander *e, const char *what, struct view text)
{
    str_clear(&e->mistake);
    str_printf(&e->mistake, "%s: \"%.*s\"", what, VIEW_ARG(text));
    return complain_as_is(e);
}

/* --- comparisons ------------------------------------------------------------------ */

bool expand_parse_level(struct view text, uint64_t *level_out)
{
    static const uint64_t most[] = {INT32_MAX, 1023, 1023};
    uint64_t parts[ARRAY_SIZE(most)] = {0};
    while (text.len > 0 && ascii_space(text.ptr[0])) {
        text = view_from(text, 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(most); i++) {
        size_t dot = view_index(text, '.');
        if (!number_parse_u64(view_first(text, dot), most[i], &parts[i])) {
            return false;
        }
        if (dot == text.len) {
            *level_out = parts[0] << 20 | parts[1] << 10 | parts[2];
            return true;
        }
        text = view_from(text, dot + 1);
    }
    return false;
}

static bool all_digits(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_digit(text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

static struct view without_zeros(struct view digits)
{
    while (digits.len > 1 && digits.ptr[0] == '0') {
        digits = view_from(digits, 1);
    }
    return digits;
}

/* Numbers of any length when both are, else bytes. */
static int compare_texts(struct view a, struct view b)
{
    bool numbers = all_digits(a) && all_digits(b);
    if (numbers) {
        a = without_zeros(a);
        b = without_zeros(b);
    }
    if (numbers && a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;
    if (order == 0 && a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return order;
}

static bool compare_levels(struct expander *e, struct view a, struct view b, int *order)
{
    uint64_t left, right;
    static const char what[] = "malformed compatibility level syntax";
    if (!expand_parse_level(a, &left)) {
        return complain(e, what, a);
    }
    if (!expand_parse_level(b, &right)) {
        return complain(e, what, b);
    }
    *order = left < right ? -1 : left > right;
    return true;
}

static bool holds(enum comparison comparison, int order)
{
    switch (comparison) {
    case COMPARE_EQUAL:
        return order == 0;
    case COMPARE_DIFFERENT:
        return order != 0;
    case COMPARE_LESS:
        return order < 0;
    case COMPARE_LESS_EQUAL:
        return order <= 0;
    case COMPARE_MORE:
        return order > 0;
    case COMPARE_MORE_EQUAL:
        return order >= 0;
    case COMPARE_NONE:
        break;
    }
    CHECK(comparison != COMPARE_NONE);
    return false;
}

static bool evaluate_comparison(struct expander *e, const struct reference *ref,
                                int depth, bool *truth)
{
    STR_AUTO struct str left = {0};
    STR_AUTO struct str right = {0};
    int order = 0;
    if (!walk_text(e, ref->left, depth + 1, &left) ||
        !walk_text(e, ref->right, depth + 1, &right)) {
        return false;
    }
    if (!ref->level) {
        order = compare_texts(str_view(&left), str_view(&right));
    } else if (!compare_levels(e, str_view(&left), str_view(&right), &order)) {
        return false;
    }
    *truth = holds(ref->comparison, order);
    return true;
}

/* --- references ------------------------------------------------------------------- */

static const char *find_value(struct expander *e, struct view name)
{
    str_set(&e->name, name);
    return e->calls->lookup(e->calls->context, str_ptr(&e->name));
}

static bool expand_name(struct expander *e, struct view name, int depth,
                        struct str *out)
{
    if (e->calls == NULL) {
        e->on_name(e->context, name);
        return true;
    }
    CHECK(out != NULL);
    const char *value = find_value(e, name);
    if (value == NULL) {
        return true;
    }
    if (e->calls->recurse) {
        return walk_text(e, view_cstr(value), depth + 1, out);
    }
    str_add_cstr(out, value);
    return true;
}

/* NAME{ARGUMENT}; with a lookup only in the argument. */
static bool expand_function(struct expander *e, const struct reference *ref, int depth,
                            struct str *out)
{
    STR_AUTO struct str argument = {0};
    if (!expand_function_exists(ref->name)) {
        str_clear(&e->mistake);
        str_printf(&e->mistake, "unknown function \"%.*s\" at \"...>>>%.*s{%.*s}\"",
                   VIEW_ARG(ref->name), VIEW_ARG(ref->name), VIEW_ARG(ref->left));
        return complain_as_is(e);
    }
    if (e->calls == NULL) {
        return walk_text(e, ref->left, depth + 1, NULL);
    }
    return walk_text(e, ref->left, depth + 1, &argument) &&
           (expand_function_call(ref->name, view_trim(str_view(&argument)), out,
                                 &e->mistake) ||
            complain_as_is(e));
}

static bool scan_reference(struct expander *e, const struct reference *ref, int depth)
{
    if (ref->name.len > 0) {
        e->on_name(e->context, ref->name);
    }
    return walk_text(e, ref->left, depth + 1, NULL) &&
           walk_text(e, ref->right, depth + 1, NULL) &&
           walk_text(e, ref->yes, depth + 1, NULL) &&
           walk_text(e, ref->no, depth + 1, NULL);
}

static bool expand_conditional(struct expander *e, const struct reference *ref,
                               int depth, struct str *out)
{
    bool truth;
    if (ref->comparison == COMPARE_NONE) {
        /* The value as written decides, not what it expands to. */
        const char *value = find_value(e, ref->name);
        truth = value != NULL && value[0] != '\0';
    } else if (!evaluate_comparison(e, ref, depth, &truth)) {
        return false;
    }
    if (!ref->conditional) {
        str_add_cstr(out, truth ? "true" : "");
        return true;
    }
    return walk_text(e, truth ? ref->yes : ref->no, depth + 1, out);
}

static bool expand_reference(struct expander *e, const struct reference *ref, int depth,
                             struct str *out)
{
    if (ref->function) {
        return expand_function(e, ref, depth, out);
    }
    if (ref->comparison == COMPARE_NONE && !ref->conditional) {
        return expand_name(e, ref->name, depth, out);
    }
    if (e->calls == NULL) {
        return scan_reference(e, ref, depth);
    }
    return expand_conditional(e, ref, depth, out);
}

/* --- texts ------------------------------------------------------------------------ */

/* What follows a '$'; AFTER moves behind it. */
static bool parse_dollar(struct expander *e, struct view whole, struct view *after,
                         struct reference *ref)
{
    char open = after->len > 0 ? after->ptr[0] : '\0';
    if (open == '{' || open == '(') {
        size_t len = reference_bracketed(*after, open, open == '{' ? '}' : ')');
        if (len == 0) {
            return complain(e, "truncated macro reference", whole);
        }
        struct view body = view_of(after->ptr + 1, len - 2);
        *after = view_from(*after, len);
        if (!reference_parse(body, ref, &e->mistake)) {
            return complain_as_is(e);
        }
    } else {
        *ref = (struct reference){.comparison = COMPARE_NONE};
        ref->name = view_first(*after, reference_name_length(*after));
        *after = view_from(*after, ref->name.len);
    }
    if (ref->comparison == COMPARE_NONE && ref->name.len == 0) {
        return complain(e, "empty macro name", whole);
    }
    return true;
}

/* One piece of text or one reference; false after a mistake. */
static bool walk_token(struct expander *e, struct view whole, struct view *rest,
                       int depth, struct str *out)
{
    struct reference ref = {0};
    size_t dollar = view_index(*rest, '$');
    struct view literal = view_first(*rest, dollar);
    bool too_deep = depth > DEPTH_MOST || ++e->steps > STEPS_MOST;
    if (dollar == 0 && rest->len > 1 && rest->ptr[1] == '$') {
        literal = view_first(*rest, 1);
        *rest = view_from(*rest, 2);
    } else if (dollar > 0) {
        *rest = view_from(*rest, dollar);
    } else {
        *rest = view_from(*rest, 1);
        if (!parse_dollar(e, whole, rest, &ref)) {
            return false;
        }
        if (too_deep) {
            /* A comparison has no name; what it compares has been complained about. */
            return ref.name.len > 0 &&
                   complain(e, "unreasonable macro call nesting", ref.name);
        }
        return expand_reference(e, &ref, depth, out);
    }
    if (too_deep) {
        return complain(e, "unreasonable macro call nesting", literal);
    }
    if (out != NULL) {
        str_add(out, literal);
    }
    return true;
}

static bool walk_text(struct expander *e, struct view text, int depth, struct str *out)
{
    struct view rest = text;
    bool good = true;
    while (rest.len > 0 && e->steps <= STEPS_MOST) {
        good = walk_token(e, text, &rest, depth, out) && good;
        if (!good && depth <= DEPTH_MOST) {
            return false;
        }
    }
    return good;
}

/* No failure without a message: a loop of nothing but comparisons has no name to
 * complain about. */
static bool walk_whole(struct expander *e, struct view text, struct str *out)
{
    bool good = walk_text(e, text, 1, out);
    if (!good && !e->complained) {
        (void)complain(e, "unreasonable macro call nesting", text);
    }
    str_done(&e->mistake);
    str_done(&e->name);
    return good;
}

bool expand_text(const struct expand_calls *calls, struct view text, struct str *out)
{
    CHECK(calls->lookup != NULL && out != NULL);
    struct expander e = {
        .calls = calls, .report = calls->report, .context = calls->report_context};
    return walk_whole(&e, text, out);
}

bool expand_scan(struct view text, void (*on_name)(void *context, struct view name),
                 void (*report)(void *context, const char *message), void *context)
{
    CHECK(on_name != NULL);
    struct expander e = {.on_name = on_name, .report = report, .context = context};
    return walk_whole(&e, text, NULL);
}
