/* SPDX-License-Identifier: MIT */
/*
 * The configuration of a process: the parameter table, main.cf on top of the
 * defaults, "-o name=value" on top of main.cf, and the expansion language.
 *
 * Every parameter is a row of lib/conf/params/<domain>.def, and nowhere else:
 *
 *     PARAM(smtpd_timeout, TIME, "${stress?{10}:{300}}s", "1s", NULL, "smtpd",
 *           "How long the server waits for a command or sends a reply.")
 *
 * The row gives the enum constant P_smtpd_timeout, postconf's output, validation
 * and the manual.  Values are expanded and converted at first use and kept.  A
 * value that does not convert ends the process with Postfix's "fatal: ..." text,
 * file and line; conf_validate() finds all of them beforehand.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/view.h"
#include "conf/params.h" /* enum param: P_<name> for each row, PARAM_COUNT */

enum param_type { PARAM_STR, PARAM_RAW, PARAM_INT, PARAM_LONG, PARAM_BOOL, PARAM_TIME };

struct conf;

/* How a process finds its configuration: DIRECTORY from -c, else $MAIL_CONFIG, else the
 * compiled-in config_directory.  WARN: report repeated settings ("overriding earlier
 * entry") through log_warning.  NULL with ERR filled: cannot read or parse. */
struct conf *conf_open(const char *directory, bool warn, struct err *err);
/* The text of main.cf from a descriptor (the master's last good snapshot). */
struct conf *conf_open_snapshot(int fd, const char *directory, struct err *err);
/* Defaults only (postconf -d, tests); TEXT is main.cf text on top, may be NULL. */
struct conf *conf_open_text(const char *directory, const char *text, struct err *err);
void conf_free(struct conf **conf);

/* "-o name=value": before the first value is read. */
void conf_override(struct conf *conf, const char *name, const char *value);

/* Values.  Strings belong to CONF.  Times are microseconds. */
const char *conf_str(const struct conf *conf, enum param param);
/* Not expanded: for values whose $names are filled in per message (luser_relay). */
const char *conf_raw(const struct conf *conf, enum param param);
int conf_int(const struct conf *conf, enum param param);
int64_t conf_long(const struct conf *conf, enum param param);
bool conf_bool(const struct conf *conf, enum param param);
int64_t conf_time(const struct conf *conf, enum param param);
/* Ask for every value that all programs share (readers "*"), so that a mistake in one
 * ends a command or a worker at its start.  The command and worker skeletons call it.
 */
void conf_check_shared(const struct conf *conf);

/* "<transport>_destination_concurrency_limit" and kin: SUFFIX starts with '_';
 * DEFAULT_PARAM is the row that holds when main.cf does not name it. */
int conf_transport_int(const struct conf *conf, const char *transport,
                       const char *suffix, enum param default_param);
int64_t conf_transport_time(const struct conf *conf, const char *transport,
                            const char *suffix, enum param default_param);
const char *conf_transport_str(const struct conf *conf, const char *transport,
                               const char *suffix, enum param default_param);

/* The value of any name, user-defined ones too (smtpd_restriction_classes, tables'
 * settings), expanded; NULL when nobody defines it. */
const char *conf_lookup(const struct conf *conf, const char *name);
/* Was it set in main.cf or by -o? */
bool conf_is_set(const struct conf *conf, const char *name);
/* Does PARAM have a default that only compatibility_level keeps?  Who acts on such a
 * value tells so in the log. */
bool conf_uses_old_default(const struct conf *conf, enum param param);
/* Expand $name, ${name?x:y}, $$ ... in TEXT with CONF's values. */
NODISCARD enum outcome conf_expand(const struct conf *conf, const char *text,
                                   struct str *out, struct err *err);
/* The same with the caller's own names; LOOKUP returns NULL for unknown ones (which
 * expand to nothing). */
NODISCARD enum outcome
conf_expand_with(const char *text,
                 const char *(*lookup)(void *context, const char *name), void *context,
                 struct str *out, struct err *err);

/* Check every value (type, range, expansion); calls REPORT with file, line and text for
 * each mistake.  True when there is none. */
bool conf_validate(const struct conf *conf,
                   void (*report)(void *context, const char *file, int line,
                                  const char *text),
                   void *context);
/* The main.cf text this configuration was read from, for the master's snapshot. */
struct view conf_text(const struct conf *conf);
const char *conf_directory(const struct conf *conf);

/* Split a list value at commas and white space, with { } kept together (its braces are
 * kept).  Returns false at the end. */
bool conf_list_next(struct view *rest, struct view *item_out);
/* "3d", "100s", "5m": microseconds; a bare number is in DEFAULT_UNIT ('s', 'm', 'h',
 * 'd', 'w'). */
bool conf_parse_time(struct view text, char default_unit, int64_t *out);

#endif
