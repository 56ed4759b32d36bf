/* SPDX-License-Identifier: MIT */
#include "sys/log_file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/view.h"

static bool has_parent_step(struct view path)
{
    struct view component;
    while (view_next_word(&path, "/", &component)) {
        if (view_equal_cstr(component, "..")) {
            return true;
        }
    }
    return false;
}

bool log_file_allowed(const char *path, const char *prefixes)
{
    struct view file = view_cstr(path);
    struct view rest = view_cstr(prefixes);
    struct view prefix;
    if (path[0] != '/' || has_parent_step(file)) {
        return false;
    }
    while (view_next_word(&rest, ", \t\r\n", &prefix)) {
        while (prefix.len > 1 && prefix.ptr[prefix.len - 1] == '/') {
            prefix.len--;
        }
        if (view_starts(file, prefix) &&
            (file.len == prefix.len || file.ptr[prefix.len] == '/' ||
             prefix.len == 1)) {
            return true;
        }
    }
    return false;
}

int log_file_open(const char *path, struct err *err)
{
    int fd;
    if (strcmp(path, "/dev/stdout") == 0) {
        /* Opening the name again fails for sockets, and truncates nothing but offsets.
         */
        fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    } else {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    }
    if (fd < 0) {
        (void)err_temp(err, "4.3.0", "open logfile '%s': %m", path);
    }
    return fd;
}
