/* SPDX-License-Identifier: MIT */
/*
 * The texts that an expression cannot match without.  Input: a line that is the
 * subject, then the expression.  When PCRE2 says that it matches, the texts must be
 * there. The C library's engine is not asked: it is not made for hostile expressions.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "map/literal.h"
#include "map/pattern.h"

enum { INPUT_MAX = 4096 };

static bool contains(struct view lower_subject, struct view text)
{
    return text.len <= lower_subject.len &&
           memmem(lower_subject.ptr, lower_subject.len, text.ptr, text.len) != NULL;
}

static void check_set(struct view lower_subject, const struct literal_set *set)
{
    bool found = false;
    for (size_t i = 0; i < set->count; i++) {
        CHECK(set->texts[i].len >= LITERAL_MIN);
        CHECK(set->texts[i].len >= set->shortest);
        found = found || contains(lower_subject, set->texts[i]);
    }
    CHECK(found);
}

static void try_expression(const char *body, struct view subject)
{
    struct pattern_text text = {.body = body};
    struct pattern_expr expr = {0};
    struct arena arena = {0};
    CHECK(pattern_pcre.parse_options(VIEW(""), "fuzz", &text.flags));
    (void)literal_sets(&arena, body, LITERAL_POSIX);
    if (!pattern_pcre.compile(NULL, &text, NULL, &expr)) {
        (void)literal_sets(&arena, body, LITERAL_PCRE);
        arena_clear(&arena);
        return;
    }
    struct view groups[1];
    char reason[PATTERN_REASON] = "";
    if (expr.engine->match(&expr, subject, groups, 1, reason, sizeof(reason))) {
        STR_AUTO struct str lower = {0};
        str_add_lower(&lower, subject);
        const struct literal_set *set = literal_sets(&arena, body, expr.syntax);
        for (; set != NULL; set = set->next) {
            check_set(str_view(&lower), set);
        }
    }
    pattern_expr_free(&expr);
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view input = view_of((const char *)data, size);
    size_t line = view_index(input, '\n');
    if (size > INPUT_MAX || line == size) {
        return 0;
    }
    log_set_stderr(false);
    char *body = xviewdup(view_from(input, line + 1));
    try_expression(body, view_first(input, line));
    free(body);
    return 0;
}
