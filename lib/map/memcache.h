/* SPDX-License-Identifier: MIT */
/* The text protocol of memcached, as far as tables need it. */
#ifndef MAP_MEMCACHE_H
#define MAP_MEMCACHE_H

#include "map/map.h"
#include "net/stream.h"

struct memcache_limits {
    size_t line_max; /* of a reply line */
    size_t data_max; /* of a value */
};

/*
 * Read the answer to "get KEY".  False: the stream ended, or (EPROTO) the answer is not
 * one to this question; then PROBLEM_OUT has the line that was not understood, if it
 * was one.  Waits.
 */
bool memcache_read_value(struct stream *stream, struct view key,
                         const struct memcache_limits *limits,
                         enum map_result *result_out, struct str *value_out,
                         struct str *problem_out);
/* Read a line that must be one of YES (true in *YES_OUT) and NO.  Waits. */
bool memcache_read_word(struct stream *stream, const struct memcache_limits *limits,
                        const char *yes, const char *no, bool *yes_out,
                        struct str *problem_out);

#endif
