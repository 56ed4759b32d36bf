/* SPDX-License-Identifier: MIT */
/* What main.cf and -o set, for tools that show or check a configuration. */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include "conf/conf.h"

struct conf_setting {
    const char *name;
    const char *value; /* as written, continuation lines joined */
    int line;          /* of main.cf; 0: set by conf_override() */
};

/* Walk in alphabetical order: start with *CURSOR = 0; NULL at the end.  Nothing may be
 * overridden meanwhile. */
const struct conf_setting *conf_next_setting(const struct conf *conf, size_t *cursor);
/* The setting of NAME, or NULL. */
const struct conf_setting *conf_find_setting(const struct conf *conf, struct view name);
/* The text of PARAM as written: main.cf's, -o's, or the default's. */
const char *conf_written(const struct conf *conf, enum param param);
/* The same for any name; NULL when nobody defines it. */
const char *conf_find_written(const struct conf *conf, const char *name);
/* The default of PARAM as main.cf text, computed when it depends on the host. */
const char *conf_default(const struct conf *conf, enum param param);
/* conf_expand() with every mistake to REPORT; false when there was one. */
bool conf_expand_report(const struct conf *conf, const char *text, struct str *out,
                        void (*report)(void *context, const char *message),
                        void *context);
/* Is TEXT, set for parameter NAME, not acted on by any program?  What turns something
 * off that is not built is no such case. */
bool conf_is_without_effect(const struct conf *conf, const char *name,
                            const char *text);
/* Call REPORT for each such setting of main.cf. */
void conf_each_unread(const struct conf *conf,
                      void (*report)(void *context, const char *file, int line,
                                     const char *name),
                      void *context);
/* "DIRECTORY/main.cf", for messages. */
const char *conf_file(const struct conf *conf);

/* Split "name = value" or "name=value".  False with ERR: "missing '=' after attribute
 * name:
 * ...".  Both views point into TEXT. */
bool conf_split_setting(struct view text, struct view *name_out, struct view *value_out,
                        struct err *err);

#endif
