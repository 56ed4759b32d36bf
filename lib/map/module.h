/* SPDX-License-Identifier: MIT */
/*
 * Table types that live in shared objects, so that a library nobody uses need not be
 * installed.  $meta_directory/dynamicmaps.cf, and every file in dynamicmaps.cf.d beside
 * it, list them:
 *
 *     lmdb   postfix-lmdb.so   dict_lmdb_open   mkmap_lmdb_open
 *
 * type, file (without a slash in front: below $shlib_directory), the function that
 * opens a table, and, for types that postmap can build, the one that opens a writer.  A
 * type that is built in wins over a line that names it.
 *
 * A module is C code of the folder modules/.  It has MAP_MODULE once, and defines the
 * functions with the types below.  It may use whatever the layers base, sys, conf and
 * map offer: those are linked into every program whole, and their functions are
 * exported (cmake/module_api.list).
 */
#ifndef MAP_MODULE_H
#define MAP_MODULE_H

#include "conf/build_paths.h"
#include "map/map_private.h"

/* The table, or NULL with ERR filled in.  The module sets map.type; map.c the rest. */
typedef struct map *map_module_open_function(const struct map_spec *spec,
                                             struct err *err);

/* How a writer of tables is made: map_writer_new_function (map/writer.h). */

/* Code of another build lays out structures in its own way; it must not be called.
 * Raise the number with every change of map_private.h that modules see. */
#define MAP_MODULE_MARK "postern table module 2, " BUILD_VERSION
extern const char map_module_mark[sizeof(MAP_MODULE_MARK)];
#define MAP_MODULE const char map_module_mark[sizeof(MAP_MODULE_MARK)] = MAP_MODULE_MARK

/* --- for the programs -------------------------------------------------------- */

/* Open a table of a type that is not built in.  NULL: ERR says "unsupported dictionary
 * type"; if a module is listed but does not work, the reason was logged. */
struct map *map_module_open(const struct map_spec *spec, struct err *err);
/* How its tables are built.  NULL: nothing is listed, or it does not work, which was
 * logged. */
map_writer_new_function *map_module_new_writer(const struct conf *conf,
                                               struct view type);
/* Is TYPE listed? */
bool map_module_is_listed(const struct conf *conf, struct view type);
/* Call VISIT with the name of each type that is listed. */
void map_module_each(const struct conf *conf,
                     void (*visit)(void *context, const char *type), void *context);

#endif
