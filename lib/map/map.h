/* SPDX-License-Identifier: MIT */
/*
 * Lookup tables, "type:name".  A lookup that finds nothing and one that failed
 * are different results and never confused.  File-based tables answer in place;
 * what may block is reached through "proxy:".
 */
#ifndef MAP_MAP_H
#define MAP_MAP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "base/view.h"
#include "conf/conf.h"

enum map_result { MAP_FOUND, MAP_MISSING, MAP_ERROR };

enum map_flags {
    MAP_FOLD = 1, /* fold the key to lower case before indexed lookups (most users) */
    MAP_NO_REGSUB = 2, /* refuse $1 in pattern results (alias_maps) */
    MAP_NO_UNAUTH = 4, /* refuse types whose owner is not trusted */
    MAP_PARENT_DOMAINS = 8,
    MAP_QUIET = 16,  /* the caller reports map_open_error() itself (commands) */
    MAP_ASCII = 32,  /* fold ASCII letters only, whatever smtputf8_enable says */
    MAP_UTF8 = 64,   /* fold letters of all scripts, the same */
    MAP_WRITE = 128, /* for map_put() and map_remove() too; makes a missing file */
    MAP_BULK = 256,  /* many questions will follow: trade memory for speed */
    MAP_FILE_VALUES = 512, /* values are names of files, whose content is the answer */
    /* What proxy: names is opened here: the answers say whose rights are used, and
     * proxymap has not the rights to say that. */
    MAP_NO_PROXY = 1024,
    /* Look whether a file was replaced before each question, not once a second: mail
     * for a user who was added a moment ago must not be returned. */
    MAP_FRESH = 2048
};

struct map;

/* Open one table.  A table that cannot be opened or a type that is not built still
 * gives a map, whose every lookup is MAP_ERROR with the reason (Postfix: the daemon
 * goes on, mail is deferred); the reason is logged now, as Postfix does.  A table that
 * is open already (same name, same flags) is shared.  CONF must outlive the map. */
struct map *map_open(const struct conf *conf, struct view name, unsigned flags);
/* From now on tables whose lookups block the process (SQL, LDAP, NSS) are opened by
 * proxymap for this one, whether or not their name says "proxy:".  For processes that
 * serve many clients; before the first table is opened. */
void map_carry_blocking_types(void);
void map_close(struct map **map);
/* The entry for KEY appended to VALUE_OUT (cleared first).  May wait (proxy:, tcp:). */
enum map_result map_find(struct map *map, struct view key, struct str *value_out,
                         struct err *err);
/* Change a table that was opened with MAP_WRITE.  What was there is replaced, and lost
 * by nobody's crash once OK is returned, if the table is of a kind that lasts.  May
 * wait. */
NODISCARD enum outcome map_put(struct map *map, struct view key, struct view value,
                               struct err *err);
/* MAP_FOUND: it was there.  May wait. */
enum map_result map_remove(struct map *map, struct view key, struct err *err);
const char *map_name(const struct map *map); /* "hash:/etc/aliases" */
/* Why every lookup fails ("open database F.db: No such file or directory"), or NULL. */
const char *map_open_error(const struct map *map);
/* Who could have written the table: the owner of its file, 0 for what has no file. */
uid_t map_owner(const struct map *map);
/* Call VISIT for each entry until it returns false.  PERMFAIL: the type cannot list its
 * entries. */
NODISCARD enum outcome map_walk(struct map *map,
                                bool (*visit)(void *context, struct view key,
                                              struct view value),
                                void *context, struct err *err);
/* Pattern tables match the whole key themselves: no partial-key lookups on them. */
bool map_is_pattern(const struct map *map);
/* The table's content is not that of its file any more, and cannot be had without
 * opening it anew as a new process: the worker should restart.  Logged once.  Cheap:
 * looks at the file once per second at most. */
bool map_changed(struct map *map);
/* FILE:LINE of the entry that answered the last map_find; 0 line when unknown. */
struct map_origin {
    const char *file;
    int line;
};
struct map_origin map_last_origin(const struct map *map);
/* Call VISIT with the name of each type that is built in or that dynamicmaps.cf lists,
 * in the order of names. */
void map_types_each(const struct conf *conf,
                    void (*visit)(void *context, const char *type), void *context);
bool map_type_is_known(const struct conf *conf, struct view type);
/* Is a table of TYPE changed through map_put() and map_remove()? */
bool map_type_is_writable(struct view type);

/* A list value such as "$alias_maps": searched in order, first hit wins. */
struct maps;
/* TITLE is the parameter's name, for messages. */
struct maps *maps_open(const struct conf *conf, const char *title, const char *list,
                       unsigned flags);
void maps_close(struct maps **maps);
bool maps_empty(const struct maps *maps);
bool maps_changed(const struct maps *maps);
/* MATCHED_OUT (may be NULL): the table that answered or failed. */
enum map_result maps_find(struct maps *maps, struct view key, struct str *value_out,
                          const struct map **matched_out, struct err *err);

/*
 * Mail address lookups, in the order that virtual(5), canonical(5) and transport(5)
 * describe; extension handling by DELIMITERS ("" for none).  *EXTENSION_OUT (may be
 * NULL) gets
 * "+ext" when the match was made without it, for propagation.
 */
enum maps_address_flags {
    MAPS_ADDRESS_FULL = 1, /* user+ext@domain, user@domain */
    MAPS_ADDRESS_LOCALPART =
        2,                   /* user+ext, user: for domains the caller says are ours */
    MAPS_ADDRESS_DOMAIN = 4, /* @domain */
    MAPS_ADDRESS_BARE_DOMAIN =
        8, /* domain (transport, access) and, as configured, parents */
    MAPS_ADDRESS_DOT_PARENTS = 16, /* .parent for parents instead of parent */
    MAPS_ADDRESS_PARENTS = 32,     /* parent for parents */
    MAPS_ADDRESS_AT_LOCALPART = 64 /* user@ (access) */
};
enum map_result maps_find_address(struct maps *maps, struct view address,
                                  const char *delimiters, unsigned flags,
                                  struct str *value_out, struct str *extension_out,
                                  struct err *err);
/* Is there an answer at all?  The same questions, but first whether one of them had an
 * answer within the last second: the users of a busy server are looked up once a
 * second, not once a message. */
enum map_result maps_has_address(struct maps *maps, struct view address,
                                 const char *delimiters, unsigned flags,
                                 struct err *err);

/*
 * A match list such as mynetworks or mydestination: literal names, "!" negation, /file
 * inclusion, type:table, and for networks address/mask patterns.
 */
enum match_kind { MATCH_DOMAIN, MATCH_DOMAIN_PARENTS, MATCH_STRING, MATCH_ADDRESS };
struct match_list;
struct match_list *match_list_open(const struct conf *conf, const char *title,
                                   const char *list, enum match_kind kind);
void match_list_close(struct match_list **list);
bool match_list_changed(const struct match_list *list);
/* MATCH_ADDRESS: TEXT is the numeric address; NAME (may be empty) is the verified name.
 */
enum map_result match_list_find(struct match_list *list, struct view text,
                                struct view name, struct err *err);

#endif
