/* SPDX-License-Identifier: MIT */
/* For the tests of types that postmap can build: the table "t" of a bench. */
#ifndef MAP_WRITER_TESTING_H
#define MAP_WRITER_TESTING_H

#include "map/map_testing.h"

#include "map/writer.h"

static inline struct map_writer *bench_writer(struct bench *bench, const char *type,
                                              const struct map_writer_options *options)
{
    char *path = xasprintf("%s/t", bench->directory);
    struct map_writer *writer =
        map_writer_open(bench->conf, type, path, options, &bench->err);
    free(path);
    return writer;
}

/* Did the entry exist? */
static inline bool bench_put(struct bench *bench, struct map_writer *writer,
                             unsigned how, const char *key, const char *value)
{
    bool existed;
    assert_int_equal(map_writer_put(writer, how, view_cstr(key), view_cstr(value),
                                    &existed, &bench->err),
                     OK);
    return existed;
}

static inline bool bench_delete(struct bench *bench, struct map_writer *writer,
                                const char *key)
{
    bool existed;
    assert_int_equal(map_writer_delete(writer, view_cstr(key), &existed, &bench->err),
                     OK);
    return existed;
}

static inline void bench_commit(struct bench *bench, struct map_writer *writer)
{
    assert_int_equal(map_writer_commit(&writer, &bench->err), OK);
    assert_null(writer);
}

#endif
