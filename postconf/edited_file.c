/* SPDX-License-Identifier: MIT */
/*
 * Read, change, replace, under a lock on the file that is being replaced.  After the
 * lock is ours the name may belong to a newer file: then the whole thing starts again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "postconf/edit.h"
#include "sys/file.h"

enum { FILE_MOST = 16 * 1024 * 1024, NEW_FILE_MODE = 0644 };

/* Through the locked descriptor: closing another one would give the lock away. */
static void read_locked(struct edited_file *file)
{
    struct stat st;
    if (fstat(file->lock, &st) != 0) {
        log_fatal("read %s: %m", file->path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MOST) {
        log_fatal("%s is too large or no regular file", file->path);
    }
    char *place = str_reserve(&file->old, (size_t)st.st_size);
    CHECK(place != NULL);
    ssize_t got = file_pread_all(file->lock, place, (size_t)st.st_size, 0);
    if (got < 0) {
        log_fatal("read %s: %m", file->path);
    }
    str_commit(&file->old, (size_t)got);
}

static bool still_there(const struct edited_file *file)
{
    struct stat ours, theirs;
    return fstat(file->lock, &ours) == 0 && stat(file->path, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

void edited_file_open(struct edited_file *file, const char *directory, const char *name)
{
    char *path = xasprintf("%s/%s", directory, name);
    *file = (struct edited_file){.lock = -1};
    file->path = realpath(path, NULL);
    if (file->path == NULL) {
        log_fatal("open %s for reading: %m", path);
    }
    free(path);
    do {
        fd_close(&file->lock);
        file->lock = open(file->path, O_RDWR | O_CLOEXEC);
        if (file->lock < 0) {
            log_fatal("open %s for writing: %m", file->path);
        }
        if (!file_lock(file->lock, true)) {
            log_fatal("lock %s: %m", file->path);
        }
    } while (!still_there(file));
    read_locked(file);
}

void edited_file_close(struct edited_file *file)
{
    struct err err;
    CHECK(file->lock >= 0 && file->path != NULL);
    if (file_replace(file->path, str_view(&file->new), NEW_FILE_MODE, &err) != OK) {
        log_fatal("%s", err.text);
    }
    fd_close(&file->lock);
    free(file->path);
    str_done(&file->old);
    str_done(&file->new);
}

void edit_check_operand(const char *operand)
{
    if (strchr(operand, '\n') != NULL) {
        log_fatal("-e, -X, or -# accepts no multi-line input");
    }
    struct view text = view_trim(view_cstr(operand));
    if (text.len > 0 && text.ptr[0] == '#') {
        log_fatal("-e, -X, or -# accepts no comment input");
    }
}

void edit_add_line(struct str *out, struct view line)
{
    str_add(out, line);
    str_add_byte(out, '\n');
}
