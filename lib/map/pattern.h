/* SPDX-License-Identifier: MIT */
/*
 * Pattern tables: an ordered list of rules, the first that matches answers.  The
 * syntax is the same for regexp: and pcre:; what differs is the engine behind an
 * expression.
 */
#ifndef MAP_PATTERN_H
#define MAP_PATTERN_H

#include "base/arena.h"
#include "map/literal.h"
#include "map/map_private.h"
#include "map/pattern_filter.h"
#include "map/source.h"

struct pattern_engine;

/* A compiled expression. */
struct pattern_expr {
    const struct pattern_engine *engine; /* NULL: none */
    void *code;
    unsigned groups; /* in parentheses */
    bool negated;
    enum literal_syntax syntax; /* how its text can be read */
};

/* An expression as written. */
struct pattern_text {
    const char *body; /* between the delimiters */
    unsigned flags;   /* the engine's own, from its parse_options() */
    bool want_groups; /* the replacement uses $1 */
};

struct pattern_engine {
    const char *name;      /* of the table type, for messages */
    const char *bad_index; /* how the type words "out of range" for $0 */
    const char *unclosed;  /* what it does with a rule without closing delimiter */
    bool second_pattern;   /* understands /this/!/but not that/ result */
    /* The letters behind the closing delimiter.  False: said so through log_warning. */
    bool (*parse_options)(struct view options, const char *place, unsigned *flags_out);
    /* OUT->engine may be another engine.  False: said so through log_warning. */
    bool (*compile)(const struct conf *conf, const struct pattern_text *text,
                    const char *place, struct pattern_expr *out);
    /* Does SUBJECT match?  GROUPS[0..COUNT-1] are filled, [0] being the whole match.
     * REASON gets the text of a failure, which counts as no match. */
    bool (*match)(const struct pattern_expr *expr, struct view subject,
                  struct view *groups, size_t count, char *reason, size_t reason_size);
    void (*free)(struct pattern_expr *expr);
};

extern const struct pattern_engine pattern_posix;
extern const struct pattern_engine pattern_pcre;

enum { PATTERN_MAX_GROUP = 99, PATTERN_PLACE = 300, PATTERN_REASON = 120 };

/* "literal $1 literal": a part is text, or the number of a group. */
struct template_part {
    struct view text;
    unsigned group; /* 0: text */
};
struct template
{
    struct template_part *parts;
    size_t count;
    unsigned max_group;
};
/* Parts live in ARENA.  False: what is wrong was logged, with PLACE in front. */
bool template_parse(struct arena *arena, const struct pattern_engine *engine,
                    const char *place, struct view text, struct template *out);
/* The template for TEXT as it stands. */
void template_set_text(struct arena *arena, struct view text, struct template *out);
void template_fill(const struct template *template, const struct view *groups,
                   struct str *out);

struct pattern_rule {
    bool is_if;
    size_t end; /* of an IF: the first rule behind its ENDIF */
    int line;
    struct pattern_expr expr;
    struct pattern_expr except; /* of regexp: only */
    struct template template;
};

struct pattern_table {
    struct map map;
    const struct pattern_engine *engine;
    struct arena arena; /* templates */
    char *file;
    struct pattern_rule *rules;
    size_t count, capacity;
    struct pattern_filter *filter; /* over the first expressions of rules; NULL: none */
    struct view *groups;           /* of the last match */
    size_t group_count;
};

/* Read all rules of SOURCE into TABLE; bad rules are reported and left out. */
void pattern_read(struct pattern_table *table, const struct conf *conf, unsigned flags,
                  struct source *source);
void pattern_expr_free(struct pattern_expr *expr);

#endif
