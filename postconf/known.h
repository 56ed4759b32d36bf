/* SPDX-License-Identifier: MIT */
/*
 * Which parameters there are: those of the table, those that the services of master.cf
 * bring with them, and those that the user defined and something refers to.
 */
#ifndef POSTCONF_KNOWN_H
#define POSTCONF_KNOWN_H

#include "conf/conf.h"
#include "postconf/request.h"
#include "postconf/services.h"

struct known_parameter {
    const char *name;
    enum postconf_class class;
    const char *value; /* default; NULL: ask the configuration */
};

struct known;

/* WARN: report names that values ask for and nobody defines, and references that make
 * no sense. */
struct known *known_new(const struct conf *conf, const struct services *services,
                        bool warn);
/* Warn about parameters of master.cf, and with MAIN_CF of main.cf, that nothing uses.
 */
void known_report_unused(struct known *known, bool main_cf);
void known_free(struct known **known);
const struct known_parameter *known_find(const struct known *known, struct view name);
/* All of them in alphabetical order, *COUNT_OUT many. */
const struct known_parameter *const *known_sorted(struct known *known,
                                                  size_t *count_out);

#endif
