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
#include "sys/clock.h"
#include "sys/file.h"

static enum outcome failed(struct err *err, const char *what)
{
    const char *dsn = "";
    if (file_error(errno, &dsn) == TEMPFAIL) {
        return err_temp(err, dsn, "maildir delivery failed: %s: %m", what);
    }
    return err_perm(err, dsn, "maildir delivery failed: %s: %m", what);
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

/* rename(2), with new/ made if it is the only one that is not there. */
static bool move(const char *maildir, const char *from, const char *to)
{
    return rename(from, to) == 0 ||
           (errno == ENOENT && make_folders(maildir) && rename(from, to) == 0);
}

static void final_name(struct local *local, const char *maildir, const struct stat *st,
                       struct str *out)
{
    int64_t now = clock_wall();
    str_printf(out, "%snew/%lld.V%llxI%llxM%lld.%s", maildir,
               (long long)(now / CLOCK_SECOND), (unsigned long long)st->st_dev,
               (unsigned long long)st->st_ino, (long long)(now % CLOCK_SECOND),
               local->host);
}

static enum outcome publish(const struct node *node, int fd, const char *maildir,
                            const char *temporary, struct err *err)
{
    struct stat st;
    const struct local_message *message = node->tree->message;
    unsigned style =
        copy_wants_delivered(message->local->conf, "file") ? COPY_DELIVERED : 0;
    if (!copy_message(node, fd, style) || fstat(fd, &st) != 0 ||
        !file_fits(message->local->conf, st.st_size) || fsync(fd) != 0) {
        return failed(err, "error writing message");
    }
    STR_AUTO struct str final = {0};
    final_name(message->local, maildir, &st, &final);
    if (!move(maildir, temporary, str_ptr(&final))) {
        return failed(err, "rename to new");
    }
    if (!file_sync_directory(message, str_ptr(&final), st.st_dev)) {
        return failed(err, "sync directory new");
    }
    return OK;
}

static enum outcome write_as_user(const struct node *node, const char *maildir,
                                  struct err *err)
{
    STR_AUTO struct str temporary = {0};
    int64_t now = clock_wall();
    str_printf(&temporary, "%stmp/%lld.P%ldQ%lld.%s", maildir,
               (long long)(now / CLOCK_SECOND), (long)getpid(),
               (long long)(now % CLOCK_SECOND), node->tree->message->local->host);
    FD_AUTO int fd = create(maildir, str_ptr(&temporary));
    if (fd < 0) {
        STR_AUTO struct str what = {0};
        str_printf(&what, "create maildir file %s", str_ptr(&temporary));
        return failed(err, str_ptr(&what));
    }
    enum outcome outcome = publish(node, fd, maildir, str_ptr(&temporary), err);
    if (outcome != OK) {
        (void)unlink(str_ptr(&temporary));
    }
    return outcome;
}

/* The usual mistake: nobody may create the directory as this user. */
static void give_advice(const struct identity *identity, const struct err *err)
{
    static const char prefix[] = "maildir delivery failed: ";
    log_warning("maildir access problem for UID/GID=%lu/%lu: %s",
                (unsigned long)identity->uid, (unsigned long)identity->gid,
                err->text + strlen(prefix));
    log_warning("perhaps you need to create the maildirs in advance");
}

enum outcome maildir_write(const struct node *node, const char *path,
                           const struct identity *identity, struct err *err)
{
    struct local *local = node->tree->message->local;
    if (!identity_assume(local, identity)) {
        return err_temp(err, "4.3.5", "cannot act as uid %ld to deliver to %s: %m",
                        (long)identity->uid, path);
    }
    enum outcome outcome = write_as_user(node, path, err);
    identity_restore(local);
    if (outcome != OK && err->code == EACCES) {
        give_advice(identity, err);
    }
    return outcome;
}
