/* SPDX-License-Identifier: MIT */
/*
 * What a table type gives to the registry, and what it may use.  A type embeds
 * struct map as the first member of its own struct; map.c fills the common part,
 * folds keys, and answers for tables that could not be opened.
 */
#ifndef MAP_MAP_PRIVATE_H
#define MAP_MAP_PRIVATE_H

#include "base/list.h"
#include "map/map.h"
#include "map/writer.h"

enum map_properties {
    MAP_TYPE_PATTERN = 1, /* matches whole keys by itself: no partial keys */
    MAP_TYPE_FOLDS = 2,   /* MAP_FOLD applies */
    MAP_TYPE_BLOCKS = 4,  /* a lookup may take long and cannot wait in a fiber */
    MAP_TYPE_LOADS = 8 /* MAP_FILE_VALUES: the type loads the files; others have their
                          content in base64 */
};

/* What is asked for when a table is opened. */
struct map_spec {
    const struct conf *conf;
    const char *title; /* "hash:/etc/aliases" */
    const char *name;  /* "/etc/aliases" */
    const char *type;  /* "hash" */
    unsigned flags;
};

struct map;
struct map_type {
    const char *name;
    unsigned properties;
    /* The table, or NULL with ERR filled in Postfix's words. */
    struct map *(*open)(const struct map_spec *spec, struct err *err);
    /* Frees all, MAP included. */
    void (*close)(struct map *map);
    /* KEY is folded already where it should be; VALUE_OUT is empty. */
    enum map_result (*find)(struct map *map, struct view key, struct str *value_out,
                            struct err *err);
    bool (*changed)(struct map *map); /* NULL: never */
    enum outcome (*walk)(struct map *map,
                         bool (*visit)(void *context, struct view key,
                                       struct view value),
                         void *context, struct err *err); /* NULL: not possible */
    map_writer_new_function *new_writer;                  /* NULL: cannot be built */
    /* Both NULL: tables of this type cannot be opened with MAP_WRITE. */
    enum outcome (*put)(struct map *map, struct view key, struct view value,
                        struct err *err);
    enum map_result (*remove)(struct map *map, struct view key, struct err *err);
};

struct map {
    const struct map_type *type;
    const struct conf *conf;
    char *title;
    unsigned flags;
    unsigned properties; /* the type's, unless it says otherwise for this table */
    uid_t owner;
    int origin_line;         /* of the last answer */
    const char *origin_file; /* belongs to the type */
    char *open_error;        /* NULL: usable */
    bool change_logged;
    unsigned users;        /* how often it is open */
    struct list open_maps; /* member of the registry of open tables */
};

/* The row of a type that is built in, or NULL. */
const struct map_type *map_type_find(struct view name);
/* Do lookups in tables of type NAME block (MAP_TYPE_BLOCKS)?  Modules are not loaded
 * for that: those that we know by name, and types that are built in. */
bool map_type_blocks(struct view name);

/* For types that cannot know who answers: false with ERR if that must be known. */
bool map_check_authentic(const struct map_spec *spec, struct err *err);

extern const struct map_type map_type_btree;
extern const struct map_type map_type_cidr;
extern const struct map_type map_type_debug;
extern const struct map_type map_type_environ;
extern const struct map_type map_type_fail;
extern const struct map_type map_type_hash;
extern const struct map_type map_type_inline;
extern const struct map_type map_type_internal;
extern const struct map_type map_type_memcache;
extern const struct map_type map_type_pcre;
extern const struct map_type map_type_pipemap;
extern const struct map_type map_type_proxy;
extern const struct map_type map_type_randmap;
extern const struct map_type map_type_regexp;
extern const struct map_type map_type_socketmap;
extern const struct map_type map_type_static;
extern const struct map_type map_type_tcp;
extern const struct map_type map_type_texthash;
extern const struct map_type map_type_unionmap;
extern const struct map_type map_type_unix;

/* Say that MAP goes on with a new file. */
void map_log_reopened(const struct map *map);

/* "{ text }" without braces and outer white space.  False: ERR says what is wrong, in
 * the words "missing '}' in ..." and kin, without a prefix. */
bool map_unbrace(struct view text, struct view *inner_out, struct err *err);

#endif
