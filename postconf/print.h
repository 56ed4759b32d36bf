/* SPDX-License-Identifier: MIT */
/* Lines on standard output: folded when asked for, or JSON, an object per line. */
#ifndef POSTCONF_PRINT_H
#define POSTCONF_PRINT_H

#include "base/str.h"
#include "conf/master_line.h"
#include "postconf/request.h"

/* "NAME = VALUE", or what -h and -H leave of it; white space in VALUE becomes one
 * space. */
void print_setting(const struct request *request, const char *name, const char *value);
/* The same for the command of a service, program and arguments. */
void print_command(const struct request *request, const char *name,
                   const struct master_line *line);
/* A whole service line. */
void print_service(const struct request *request, const struct master_line *line);
/* A service line in columns, in one physical line or, with FOLD, with each "-o" option
 * and what follows on lines of their own. */
void format_service(const struct master_line *line, bool fold, struct str *out);
/* One word of a command, in braces when it would not stay one without. */
void format_word(struct str *out, const char *word);

#endif
