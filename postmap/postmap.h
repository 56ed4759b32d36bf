/* SPDX-License-Identifier: MIT */
/* What the command line asks for, and the actions. */
#ifndef POSTMAP_POSTMAP_H
#define POSTMAP_POSTMAP_H

#include <stdbool.h>

#include "conf/conf.h"
#include "map/writer.h"

enum action { ACTION_BUILD, ACTION_UPDATE, ACTION_QUERY, ACTION_DELETE, ACTION_DUMP };
/* What becomes of a key that is there already. */
enum duplicates { DUPLICATES_WARN, DUPLICATES_IGNORE, DUPLICATES_REPLACE };

struct options {
    bool aliases; /* called as postalias */
    enum action action;
    const char *directory; /* -c, or NULL */
    const char *key;       /* -q, -d; "-": read keys from standard input */
    enum duplicates duplicates;
    bool no_fold;
    unsigned fold_flags; /* MAP_ASCII or MAP_UTF8 */
    enum map_writer_nul nul;
    bool keep_root;
    bool default_mode;        /* -p */
    bool file_values;         /* -F */
    bool json;                /* -j */
    bool no_progress;         /* --no-progress */
    bool headers, body, mime; /* -h, -b, -m */
    char **tables;            /* NULL-terminated */
};

/* Ends the program when the command line is wrong. */
void options_parse(struct options *options, int argc, char **argv);
/* enum map_flags for opening tables. */
unsigned options_map_flags(const struct options *options);

/* The type and name of a table argument. */
struct table_name {
    char *type, *path;
};
struct table_name table_name_parse(const struct conf *conf, const char *argument);
void table_name_done(struct table_name *name);

/* Exit statuses. */
int query_run(const struct options *options, const struct conf *conf);
int dump_run(const struct options *options, const struct conf *conf);
int delete_run(const struct options *options, const struct conf *conf);
int build_run(const struct options *options, const struct conf *conf);

#endif
