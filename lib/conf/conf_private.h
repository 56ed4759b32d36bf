/* SPDX-License-Identifier: MIT */
/* What the files that implement conf.h share; nobody else's business. */
#ifndef CONF_CONF_PRIVATE_H
#define CONF_CONF_PRIVATE_H

#include "base/arena.h"
#include "base/htab.h"
#include "conf/conf.h"
#include "conf/param_table.h"
#include "conf/settings.h"

/* A value that was asked for: expanded, and converted when it has a type. */
struct conf_value {
    bool ready;
    char *text;
    int64_t number;
};

struct conf {
    char *directory;
    char *file; /* directory/main.cf */
    struct str text;
    struct htab *settings; /* name to struct conf_setting */
    struct conf_setting *
        *order; /* the same in alphabetical order; NULL: not made yet */
    size_t order_count;
    struct arena *arena;       /* settings and everything that is computed once */
    bool asked;                /* somebody has read a value */
    struct conf_value *values; /* PARAM_COUNT, filled at first use */
    struct htab *others;       /* expanded values of names that are not parameters */
    const char **computed; /* defaults that depend on the host; NULL: not made yet */
};

/* Add a setting, replacing one of the same name, which is returned (or NULL). */
const struct conf_setting *conf_put(struct conf *conf, struct view name,
                                    struct view value, int line);
/* Read the settings in conf->text. */
NODISCARD enum outcome conf_parse(struct conf *conf, bool warn, struct err *err);
/* What NAME's value has to be: its row, that behind its family, or any text. */
const struct param_row *conf_row_of(struct view name);
/* Where mistakes of the expansion language go. */
struct conf_report {
    void (*function)(void *context, const char *message);
    void *context;
};
/* Expand and convert TEXT, the value of NAME, as ROW's type and bounds ask.  False with
 * the text for "fatal: " in MISTAKE. */
bool conf_evaluate(const struct conf *conf, const struct param_row *row,
                   const char *name, const char *text, const struct conf_report *report,
                   struct conf_value *out, struct str *mistake);

#endif
