/* SPDX-License-Identifier: MIT */
/* One service line of master.cf as it is written: fields and words, nothing
 * interpreted. */
#ifndef CONF_MASTER_LINE_H
#define CONF_MASTER_LINE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

enum master_field {
    FIELD_SERVICE,
    FIELD_TYPE,
    FIELD_PRIVATE,
    FIELD_UNPRIVILEGED,
    FIELD_CHROOT,
    FIELD_WAKEUP,
    FIELD_PROCESS_LIMIT,
    FIELD_COMMAND /* how many stand before the command; the name of the rest */
};

struct master_line {
    const char *fields[FIELD_COMMAND];
    const char **words; /* program, arguments; the braces of {a b} removed */
    int word_count;
    int line; /* number in the file */
    enum master_field
        bad_field; /* the reason of a failure; FIELD_COMMAND: another one */
};

/* Take TEXT, a logical line, apart; all memory comes from ARENA.  FILE and LINE are for
 * messages: "file F: line N: bad field count", invalid type field "x" in "LINE". */
NODISCARD enum outcome master_line_parse(struct arena *arena, struct view text,
                                         const char *file, int line,
                                         struct master_line *out, struct err *err);

/* Is this a valid content of FIELD?  FIELD_SERVICE takes anything but white space. */
bool master_field_valid(enum master_field field, struct view text);
/* What FIELD may hold, for people. */
const char *master_field_allowed(enum master_field field);
/* "service", "type", "private" ... "command". */
const char *master_field_name(enum master_field field);
/* The field of that name; FIELD_OUT may be NULL. */
bool master_field_find(struct view name, enum master_field *field_out);

/* The option that starts at word INDEX, "-o" "name=value" or "-oname=value": how many
 * words it takes, 0 when it is none.  SETTING is NULL when "name=value" is missing. */
int master_line_option(const struct master_line *line, int index,
                       const char **setting_out);
/* Options stand before the first word that is not one: words from here on are
 * arguments. */
int master_line_first_argument(const struct master_line *line);

#endif
