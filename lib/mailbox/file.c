/* SPDX-License-Identifier: MIT */
#include "mailbox/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

enum outcome mailbox_error(int error, const char **dsn_out)
{
    switch (error) {
    case EDQUOT:
    case EFBIG:
        *dsn_out = "5.2.2"; /* the mailbox is full */
        return PERMFAIL;
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EIO:
        *dsn_out = "4.3.0"; /* the system's trouble */
        return TEMPFAIL;
    case EAGAIN:
    case EBUSY:
    case EEXIST:
    case ESTALE:
    case ETIMEDOUT:
        *dsn_out = "4.2.0";
        return TEMPFAIL;
    default:
        *dsn_out = "5.2.0";
        return PERMFAIL;
    }
}

bool mailbox_fits(int64_t limit, int64_t size)
{
    if (limit > 0 && size > limit) {
        errno = EFBIG;
        return false;
    }
    return true;
}

void mailbox_directory(const char *path, struct str *out)
{
    size_t slash = view_last_index(view_cstr(path), '/');
    str_set(out, view_first(view_cstr(path), slash > 0 ? slash : 1));
}

bool mailbox_sync_directory(const struct letter *letter, const char *path, dev_t device)
{
    if (device == letter->device) {
        return true;
    }
    STR_AUTO struct str directory = {0};
    mailbox_directory(path, &directory);
    FD_AUTO int fd = open(str_ptr(&directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}
