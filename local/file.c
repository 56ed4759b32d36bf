/* SPDX-License-Identifier: MIT */
/* What mailboxes, Maildirs and files have in common. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "local/local.h"
#include "sys/file.h"

enum outcome file_error(int error, const char **dsn_out)
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

bool file_fits(const struct conf *conf, int64_t size)
{
    int64_t limit = conf_long(conf, P_mailbox_size_limit);
    if (limit > 0 && size > limit) {
        errno = EFBIG;
        return false;
    }
    return true;
}

bool file_sync_directory(const struct local_message *message, const char *path,
                         dev_t device)
{
    if (device == message->device) {
        return true;
    }
    STR_AUTO struct str directory = {0};
    size_t slash = view_last_index(view_cstr(path), '/');
    str_add(&directory, view_first(view_cstr(path), slash > 0 ? slash : 1));
    FD_AUTO int fd = open(str_ptr(&directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}
