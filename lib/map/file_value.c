/* SPDX-License-Identifier: MIT */
#include "map/file_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/file.h"

enum { MAX_FILE = 16 * 1024 * 1024, STEP = 64 * 1024 };

/* A pipe, /dev/stdin or <(command) will do as well as a file. */
static bool append(int fd, struct str *out)
{
    size_t before = out->len;
    ssize_t got;
    do {
        char *to = str_reserve(out, STEP);
        if (to == NULL || out->len - before > MAX_FILE) {
            errno = EFBIG;
            return false;
        }
        got = read(fd, to, STEP);
        if (got > 0) {
            str_commit(out, (size_t)got);
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    return got == 0;
}

static enum outcome load(struct view name, struct str *out, struct err *err)
{
    char *path = xviewdup(name);
    FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum outcome outcome = OK;
    if (fd < 0) {
        outcome = err_temp(err, "4.3.0", "open %s: %m", path);
    } else if (!append(fd, out)) {
        outcome = err_temp(err, "4.3.0", "read %s: %m", path);
    }
    free(path);
    return outcome;
}

enum outcome file_value_load(struct view names, struct str *out, struct err *err)
{
    struct view name;
    bool first = true;
    while (view_next_word(&names, ", \t\r\n", &name)) {
        if (!first) {
            str_add_byte(out, '\n');
        }
        first = false;
        enum outcome outcome = load(name, out, err);
        if (outcome != OK) {
            return outcome;
        }
    }
    if (first) {
        return err_perm(err, "4.3.0", "empty file name");
    }
    return OK;
}
