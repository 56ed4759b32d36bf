/* SPDX-License-Identifier: MIT */
/*
 * The parameters of one table, for types that have more to say than a name.  The name
 * is that of a file in the format of main.cf ("/" or "." in front), whose values are
 * taken as they stand, "$" included; or a word, and then main.cf has them as
 * WORD_parameter, expanded like every value there.
 *
 * A value that is wrong is remembered; map_settings_ok() tells, once, at the end.
 */
#ifndef MAP_TABLE_SETTINGS_H
#define MAP_TABLE_SETTINGS_H

#include "map/map_private.h"

struct map_settings;

/* NULL: the file cannot be read or is malformed. */
struct map_settings *map_settings_open(const struct map_spec *spec, struct err *err);
void map_settings_close(struct map_settings **settings);
/* For messages: the file, or the word. */
const char *map_settings_title(const struct map_settings *settings);
uid_t map_settings_owner(const struct map_settings *settings);

/* Strings belong to SETTINGS.  FALLBACK may be NULL. */
const char *map_settings_str(struct map_settings *settings, const char *name,
                             const char *fallback);
/* One that must not be empty. */
const char *map_settings_need(struct map_settings *settings, const char *name);
int map_settings_int(struct map_settings *settings, const char *name, int fallback,
                     int min, int max);
bool map_settings_bool(struct map_settings *settings, const char *name, bool fallback);
bool map_settings_is_set(struct map_settings *settings, const char *name);
/* False: ERR has the first mistake.  Otherwise warns of what stands in the file and
 * nobody has asked for. */
bool map_settings_ok(struct map_settings *settings, struct err *err);
/* Remember a mistake that the caller has found. */
void map_settings_fail(struct map_settings *settings, const char *format, ...)
    PRINTF_LIKE(2, 3);

#endif
