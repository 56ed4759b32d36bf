/* SPDX-License-Identifier: MIT */
/*
 * Expressions of PCRE2: compiled to machine code where the system allows it,
 * interpreted where it does not (MemoryDenyWriteExecute and kin) or where the
 * compiled form runs out of its stack.  An expression that needs too many steps for a
 * subject is reported and does not match.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "map/pattern.h"

enum {
    MATCH_LIMIT = 10 * 1000 * 1000, /* steps, some tenths of a second */
    HEAP_LIMIT_KB = 64 * 1024,
    USES_BEFORE_JIT = 16,
    JIT_STACK_MIN = 32 * 1024,
    JIT_STACK_MAX = 512 * 1024, /* of its own: fibers have little */
};

struct pcre_code {
    pcre2_code *code;
    unsigned uses;
};

/* What every match of the process uses.  One for all, because a match never waits, and
 * a stack for each of ten thousand rules would be too much. */
static struct {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
} shared;

static bool parse_options(struct view options, const char *place, unsigned *flags_out)
{
    static const struct {
        char letter;
        uint32_t flag;
    } table[] = {{'i', PCRE2_CASELESS}, {'m', PCRE2_MULTILINE},
                 {'s', PCRE2_DOTALL},   {'x', PCRE2_EXTENDED},
                 {'A', PCRE2_ANCHORED}, {'E', PCRE2_DOLLAR_ENDONLY},
                 {'U', PCRE2_UNGREEDY}};
    uint32_t flags = PCRE2_CASELESS | PCRE2_DOTALL;
    for (size_t i = 0; i < options.len; i++) {
        size_t row = 0;
        while (row < ARRAY_SIZE(table) && table[row].letter != options.ptr[i]) {
            row++;
        }
        if (row < ARRAY_SIZE(table)) {
            flags ^= table[row].flag;
        } else if (options.ptr[i] == 'X') {
            log_warning("%s: ignoring obsolete regexp option \"X\"", place);
        } else {
            log_warning("%s: unknown regexp option \"%c\": skipping this rule", place,
                        options.ptr[i]);
            return false;
        }
    }
    *flags_out = flags;
    return true;
}

static void prepare_shared(void)
{
    if (shared.data != NULL) {
        return;
    }
    shared.data = pcre2_match_data_create(PATTERN_MAX_GROUP + 1, NULL);
    shared.context = pcre2_match_context_create(NULL);
    if (shared.data == NULL || shared.context == NULL) {
        log_fatal("out of memory");
    }
    (void)pcre2_set_match_limit(shared.context, MATCH_LIMIT);
    (void)pcre2_set_heap_limit(shared.context, HEAP_LIMIT_KB);
    shared.stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    pcre2_jit_stack_assign(shared.context, NULL, shared.stack);
}

static struct pcre_code *wrap(pcre2_code *compiled)
{
    prepare_shared();
    struct pcre_code *code = xcalloc(1, sizeof(*code));
    code->code = compiled;
    return code;
}

/* PLACE NULL: say nothing. */
static bool compile(const struct conf *conf, const struct pattern_text *text,
                    const char *place, struct pattern_expr *out)
{
    (void)conf;
    int code;
    PCRE2_SIZE offset;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text->body, PCRE2_ZERO_TERMINATED,
                                         text->flags, &code, &offset, NULL);
    if (compiled == NULL) {
        PCRE2_UCHAR reason[PATTERN_REASON];
        (void)pcre2_get_error_message(code, reason, sizeof(reason));
        if (place != NULL) {
            log_warning("%s: error in regex at offset %zu: %s", place, offset,
                        (const char *)reason);
        }
        return false;
    }
    uint32_t groups = 0;
    CHECK(pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &groups) == 0);
    out->engine = &pattern_pcre;
    out->code = wrap(compiled);
    out->groups = groups;
    out->syntax = (text->flags & PCRE2_EXTENDED) != 0 ? LITERAL_NONE : LITERAL_PCRE;
    return true;
}

static int run(struct pcre_code *code, struct view subject)
{
    /* Machine code pays for expressions that are used, not for a command that looks up
     * one key in a long table.  If it cannot be had, the interpreter goes on. */
    if (++code->uses == USES_BEFORE_JIT && shared.stack != NULL) {
        (void)pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
    }
    PCRE2_SPTR text = (PCRE2_SPTR)subject.ptr;
    int found =
        pcre2_match(code->code, text, subject.len, 0, 0, shared.data, shared.context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
        found = pcre2_match(code->code, text, subject.len, 0, PCRE2_NO_JIT, shared.data,
                            shared.context);
    }
    return found;
}

static bool match(const struct pattern_expr *expr, struct view subject,
                  struct view *groups, size_t count, char *reason, size_t reason_size)
{
    struct pcre_code *code = expr->code;
    int found = run(code, subject);
    if (found < 0) {
        if (found != PCRE2_ERROR_NOMATCH) {
            (void)pcre2_get_error_message(found, (PCRE2_UCHAR *)reason, reason_size);
        }
        return false;
    }
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(shared.data);
    for (size_t i = 1; i < count; i++) {
        bool set = i < (size_t)found && at[2 * i] != PCRE2_UNSET;
        /* \K in a look-around can put the start behind the end. */
        set = set && at[2 * i] <= at[2 * i + 1];
        groups[i] = set ? view_of(subject.ptr + at[2 * i], at[2 * i + 1] - at[2 * i])
                        : view_of("", 0);
    }
    return true;
}

static void free_code(struct pattern_expr *expr)
{
    struct pcre_code *code = expr->code;
    pcre2_code_free(code->code);
    free(code);
}

const struct pattern_engine pattern_pcre = {
    .name = "pcre",
    .bad_index = "out of range",
    .unclosed = "ignoring",
    .second_pattern = false,
    .parse_options = parse_options,
    .compile = compile,
    .match = match,
    .free = free_code,
};
