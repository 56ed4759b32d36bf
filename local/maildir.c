/* SPDX-License-Identifier: MIT */
/*
 * Maildir delivery: written and synced in tmp/, then renamed into new/.  Readers
 * see whole messages only.  The name is time.V<device>I<inode>M<microseconds>.host:
 * unique because of the inode, sorted by arrival.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "local/local.h"
#include "sys/file.h"

static enum outcome failed(struct err *err, const char *what, const char *path)
{
    enum outcome outcome = PERMFAIL;
    const char *dsn = "5.2.0";
    if (errno == EDQUOT) {
        dsn = "5.2.2";
    } else if (errno == ENOSPC || errno == EIO || errno == EMFILE || errno == ENFILE ||
               errno == ENOMEM || errno == ESTALE) {
        outcome = TEMPFAIL;
        dsn = "4.2.0";
    }
    if (outcome == TEMPFAIL) {
        return err_temp(err, dsn, "maildir delivery failed: %s %s: %m", what, path);
    }
    return err_perm(err, dsn, "maildir delivery failed: %s %s: %m", what, path);
}

static bool make_folders(const char *maildir)
{
    static const char *const folders[] = {"tmp", "new", "cur"};
    STR_AUTO struct str path = {0};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        str_clear(&path);
        str_printf(&path, "%s%s", maildir, folders[i]);
        if (!file_make_dirs(str_ptr(&path), 0700)) {
            return false;
        }
    }
    return true;
}

static int create(const char *maildir, const char *temporary)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(temporary, flags, 0600);
    if (fd < 0 && errno == ENOENT && make_folders(maildir)) {
        fd = open(temporary, flags, 0600);
    }
    return fd;
}

/* The queue file's removal must not be able to reach the disk before this name does. On
 * one file system the journal keeps the order; across two the directory is synced. */
static bool sync_name(const struct local_message *message, const char *maildir,
                      dev_t device)
{
    if (device == message->device) {
        return true;
    }
    STR_AUTO struct str path = {0};
    str_printf(&path, "%snew", maildir);
    FD_AUTO int fd = open(str_ptr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

static enum outcome publish(const struct node *node, int fd, const char *maildir,
                            const char *temporary, struct err *err)
{
    struct stat st;
    const struct local *local = node->tree->message->local;
    if (!copy_message(node, fd, 0)) {
        return failed(err, "write", temporary);
    }
    if (fsync(fd) != 0 || fstat(fd, &st) != 0) {
        return failed(err, "sync", temporary);
    }
    int64_t now = clock_wall();
    STR_AUTO struct str final = {0};
    str_printf(&final, "%snew/%lld.V%llxI%llxM%lld.%s", maildir,
               (long long)(now / CLOCK_SECOND), (unsigned long long)st.st_dev,
               (unsigned long long)st.st_ino, (long long)(now % CLOCK_SECOND),
               conf_str(local->conf, P_myhostname));
    if (rename(temporary, str_ptr(&final)) != 0) {
        return failed(err, "rename to new", temporary);
    }
    if (!sync_name(node->tree->message, maildir, st.st_dev)) {
        return failed(err, "sync directory of", str_ptr(&final));
    }
    return OK;
}

static enum outcome write_as_user(const struct node *node, const char *maildir,
                                  struct err *err)
{
    const struct local *local = node->tree->message->local;
    STR_AUTO struct str temporary = {0};
    int64_t now = clock_wall();
    str_printf(&temporary, "%stmp/%lld.P%ld.%lld.%s", maildir,
               (long long)(now / CLOCK_SECOND), (long)getpid(),
               (long long)(now % CLOCK_SECOND), conf_str(local->conf, P_myhostname));
    FD_AUTO int fd = create(maildir, str_ptr(&temporary));
    if (fd < 0) {
        return failed(err, "create maildir file", str_ptr(&temporary));
    }
    enum outcome outcome = publish(node, fd, maildir, str_ptr(&temporary), err);
    if (outcome != OK) {
        (void)unlink(str_ptr(&temporary));
    }
    return outcome;
}

enum outcome maildir_write(const struct node *node, const char *path,
                           const struct identity *identity, struct err *err)
{
    const struct local *local = node->tree->message->local;
    if (!identity_assume(local, identity)) {
        return err_temp(err, "4.3.5", "cannot act as uid %ld to deliver to %s: %m",
                        (long)identity->uid, path);
    }
    mode_t mask = umask(077);
    enum outcome outcome = write_as_user(node, path, err);
    (void)umask(mask);
    identity_restore(local);
    if (outcome != OK && (err->code == EACCES || err->code == ENOENT)) {
        log_warning("perhaps you need to create the maildirs in advance");
    }
    return outcome;
}
