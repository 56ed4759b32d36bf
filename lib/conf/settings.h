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
/* "DIRECTORY/main.cf", for messages. */
const char *conf_file(const struct conf *conf);

/* Split "name = value" or "name=value".  False with ERR: "missing '=' after attribute
 * name:
 * ...".  Both views point into TEXT. */
bool conf_split_setting(struct view text, struct view *name_out, struct view *value_out,
                        struct err *err);

#endif
