/* SPDX-License-Identifier: MIT */
/* The rows of params/<domain>.def as data, by constant and by name. */
#ifndef CONF_PARAM_TABLE_H
#define CONF_PARAM_TABLE_H

#include <stdbool.h>

#include "base/view.h"
#include "conf/conf.h"

struct param_row {
    const char *name;
    enum param_type type;
    const char *value; /* default, main.cf text */
    const char *min;   /* bounds as main.cf text, or NULL; of STR: shortest length */
    const char *max;
    const char *readers; /* "smtpd cleanup"; "*": every program; "": nobody yet */
    const char *help;
};

const struct param_row *param_row(enum param param);
/* What postconf(5) says beyond the row's help, or NULL. */
const char *param_note(enum param param);
/* The parameter called NAME; false when there is none. */
bool param_find(struct view name, enum param *param_out);
/* All parameters in alphabetical order, PARAM_COUNT of them. */
const enum param *param_sorted(void);
/* Names that Postfix once had and that defaults of today's parameters still ask for. */
bool param_is_legacy(struct view name);
/* The name that took the place of NAME, which still works; "": nothing did, the setting
 * is best removed; NULL: NAME is not outdated. */
const char *param_replacement(struct view name);
/* A family of parameters, one for each delivery agent of master.cf:
 * "<service><suffix>". */
struct param_family {
    const char *suffix; /* "_destination_rate_delay" */
    enum param param;   /* holds where the service has none of its own */
};
/* The families, COUNT of them, in alphabetical order. */
const struct param_family *param_families(size_t *count_out);
/* The family that NAME belongs to, whatever its service; NULL: none. */
const struct param_family *param_family_of(struct view name);
/* The row that describes NAME: its own, or that of its family; NULL: not known. */
const struct param_row *param_row_of(struct view name);
/* Is NAME known, but acted on by no program yet? */
bool param_is_unread(struct view name);
/* The known name that NAME is most probably a misspelling of, or NULL. */
const char *param_suggest(struct view name);

#endif
