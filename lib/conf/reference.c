/* SPDX-License-Identifier: MIT */
/*
 * The grammar inside ${...}.  A message names the place the way Postfix does: what was
 * understood, ">>>", and at most twenty bytes of what was not.
 */
#include "conf/reference.h"

#include "base/ascii.h"
#include "base/check.h"

enum { REST_SHOWN = 20 };

size_t reference_bracketed(struct view text, char open, char close)
{
    CHECK(text.len > 0 && text.ptr[0] == open);
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == open) {
            depth++;
        } else if (text.ptr[i] == close && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

size_t reference_name_length(struct view text)
{
    size_t len = 0;
    while (len < text.len && (ascii_alnum(text.ptr[len]) || text.ptr[len] == '_')) {
        len++;
    }
    return len;
}

static struct view skip_space(struct view text)
{
    while (text.len > 0 && ascii_space(text.ptr[0])) {
        text = view_from(text, 1);
    }
    return text;
}

/* START..AT was understood, REST was not. */
static bool complain(struct str *mistake, const char *what, const char *start,
                     struct view rest)
{
    CHECK(start <= rest.ptr);
    struct view seen = view_of(start, (size_t)(rest.ptr - start));
    while (seen.len > 0 && ascii_space(seen.ptr[seen.len - 1])) {
        seen.len--;
    }
    struct view shown = view_first(rest, REST_SHOWN);
    str_printf(mistake, "%s at: \"...%.*s>>>%.*s\"", what, VIEW_ARG(seen),
               VIEW_ARG(shown));
    return false;
}

/* "{text}" at the start of *REST: its inside; *REST moves behind it and white space. */
static bool parse_braced(struct view *rest, struct view *inside, struct str *mistake)
{
    size_t len = reference_bracketed(*rest, '{', '}');
    if (len == 0) {
        str_printf(mistake, "unbalanced {} in attribute expression: \"%.*s\"",
                   VIEW_ARG(*rest));
        return false;
    }
    *inside = view_of(rest->ptr + 1, len - 2);
    *rest = view_from(*rest, len);
    return true;
}

/* The text after '?' or ':': "{text}", or everything up to the end. */
static bool parse_branch(struct view *rest, struct view *branch, bool *braced,
                         struct str *mistake)
{
    struct view after = skip_space(*rest);
    *braced = after.len > 0 && after.ptr[0] == '{';
    if (!*braced) {
        *branch = *rest;
        *rest = view_from(*rest, rest->len);
        return true;
    }
    if (!parse_braced(&after, branch, mistake)) {
        return false;
    }
    *rest = skip_space(after);
    return true;
}

static bool expect_end(struct view rest, struct view branch, struct str *mistake)
{
    return rest.len == 0 || complain(mistake, "unexpected input", branch.ptr, rest);
}

/* REST starts with '?' or ':'. */
static bool parse_branches(struct view rest, struct reference *out, struct str *mistake)
{
    bool braced;
    char test = rest.ptr[0];
    CHECK(test == '?' || test == ':');
    out->conditional = true;
    rest = view_from(rest, 1);
    if (test == ':') {
        return parse_branch(&rest, &out->no, &braced, mistake) &&
               expect_end(rest, out->no, mistake);
    }
    if (!parse_branch(&rest, &out->yes, &braced, mistake)) {
        return false;
    }
    if (rest.len == 0) {
        return true;
    }
    if (rest.ptr[0] != ':') {
        return complain(mistake, "\":\" expected", out->yes.ptr, rest);
    }
    rest = view_from(rest, 1);
    return parse_branch(&rest, &out->no, &braced, mistake) &&
           expect_end(rest, out->no, mistake);
}

/* "==" and kin, with the suffix "level" when there is one. */
static bool parse_operator(struct view *rest, struct reference *out,
                           struct str *mistake)
{
    static const struct {
        const char *text;
        enum comparison comparison;
    } operators[] = {{"==", COMPARE_EQUAL},      {"!=", COMPARE_DIFFERENT},
                     {"<", COMPARE_LESS},        {"<=", COMPARE_LESS_EQUAL},
                     {">=", COMPARE_MORE_EQUAL}, {">", COMPARE_MORE}};
    size_t len = 0;
    while (len < rest->len && strchr("=!<>", rest->ptr[len]) != NULL &&
           rest->ptr[len] != '\0') {
        len++;
    }
    for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
        if (view_equal_cstr(view_first(*rest, len), operators[i].text)) {
            out->comparison = operators[i].comparison;
        }
    }
    if (out->comparison == COMPARE_NONE) {
        /* The quoting is what Postfix 3.7 prints. */
        return complain(mistake,
                        "\"==\" or \"!=\"\" or \"<\"\" or \"<=\"\" or \">=\"\" or "
                        "\">\" expected",
                        out->left.ptr, *rest);
    }
    struct view after = view_from(*rest, len);
    struct view suffix = view_first(after, reference_name_length(after));
    out->level = view_equal_cstr(suffix, "level");
    if (suffix.len > 0 && !out->level) {
        return complain(mistake, "bad operator suffix", rest->ptr, suffix);
    }
    *rest = view_from(after, suffix.len);
    return true;
}

/* "{a} == {b}", then perhaps branches. */
static bool parse_comparison(struct view body, struct reference *out,
                             struct str *mistake)
{
    const char *start = body.ptr;
    if (!parse_braced(&body, &out->left, mistake)) {
        return false;
    }
    body = skip_space(body);
    if (!parse_operator(&body, out, mistake)) {
        return false;
    }
    struct view right = skip_space(body);
    if (right.len == 0 || right.ptr[0] != '{') {
        return complain(mistake, "\"{expression}\" expected", start, body);
    }
    if (!parse_braced(&right, &out->right, mistake)) {
        return false;
    }
    const char *end = right.ptr - 1;
    right = skip_space(right);
    if (right.len == 0) {
        return true;
    }
    if (right.ptr[0] != '?' && right.ptr[0] != ':') {
        return complain(mistake, "\"?\" or \":\" expected", end, right);
    }
    return parse_branches(right, out, mistake);
}

/* "{argument}" behind a name, then nothing. */
static bool parse_argument(struct view rest, struct reference *out, struct str *mistake)
{
    out->function = true;
    if (!parse_braced(&rest, &out->left, mistake)) {
        return false;
    }
    const char *end = out->left.ptr;
    rest = skip_space(rest);
    return rest.len == 0 || complain(mistake, "unexpected input", end, rest);
}

bool reference_parse(struct view body, struct reference *out, struct str *mistake)
{
    *out = (struct reference){.comparison = COMPARE_NONE};
    str_clear(mistake);
    body = skip_space(body);
    if (body.len > 0 && body.ptr[0] == '{') {
        return parse_comparison(body, out, mistake);
    }
    out->name = view_first(body, reference_name_length(body));
    struct view rest = view_from(body, out->name.len);
    struct view after = skip_space(rest);
    if (after.len == 0) {
        return true;
    }
    if (out->name.len > 0 && after.ptr[0] == '{') {
        return parse_argument(after, out, mistake);
    }
    if (out->name.len == 0 || (after.ptr[0] != '?' && after.ptr[0] != ':')) {
        return complain(mistake, "attribute name syntax error", body.ptr, rest);
    }
    return parse_branches(after, out, mistake);
}
