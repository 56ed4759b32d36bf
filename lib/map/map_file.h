/* SPDX-License-Identifier: MIT */
/*
 * The file behind an indexed table: is it still the one that was opened?  A file that
 * was replaced by another one can be opened anew at once, by whoever may; what was
 * overwritten in place may be half done, and the process starts anew when it is idle.
 */
#ifndef MAP_MAP_FILE_H
#define MAP_MAP_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct map_file {
    char *path; /* "FILE.db"; owned */
    struct stat opened;
    int64_t looked_at;
    bool always_look; /* MAP_FRESH: not once per second only */
    bool is_old;      /* not ours to repair: map_type.changed says true */
};

/* Take note of what FD, open on FILE->path, is.  False with errno. */
bool map_file_note(struct map_file *file, int fd);
/* Cheap: looks once per second at most, unless it is always to look.  True: another
 * file has the name; open it, and if that fails, set is_old. */
bool map_file_is_replaced(struct map_file *file, int fd);
/* Have the file for this process alone, for a table that is changed in place
 * (MAP_WRITE); made with MODE if there is none.  The lock ends when *FD_OUT is closed.
 * 0 or an errno. Waits some seconds for the process before us to finish and leave. */
int map_file_lock(const struct map_file *file, mode_t mode, int *fd_out);
/* The warning that a table was not built since its source SOURCE was edited. */
void map_file_warn_old(const struct map_file *file, const char *source);

#endif
