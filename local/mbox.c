/* SPDX-License-Identifier: MIT */
/*
 * mbox delivery: lock (fcntl and dotlock as mailbox_delivery_lock says), append,
 * sync; a failed append is cut off again.  Never through a symbolic link that is
 * not root's, never to a file with several names or of somebody else.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "local/local.h"
#include "sys/file.h"

struct locks {
    bool fcntl, flock, dot;
};

static struct locks wanted_locks(const struct conf *conf)
{
    struct locks locks = {0};
    struct view rest = view_cstr(conf_str(conf, P_mailbox_delivery_lock));
    struct view word;
    while (conf_list_next(&rest, &word)) {
        if (view_equal_cstr(word, "fcntl")) {
            locks.fcntl = true;
        } else if (view_equal_cstr(word, "flock")) {
            locks.flock = true;
        } else if (view_equal_cstr(word, "dotlock")) {
            locks.dot = true;
        } else {
            log_fatal("mailbox_delivery_lock: unknown lock type \"%.*s\"",
                      VIEW_ARG(word));
        }
    }
    return locks;
}

static void remove_if_stale(const char *path, int64_t limit)
{
    struct stat st;
    if (lstat(path, &st) == 0 && st.st_mtime + limit / CLOCK_SECOND < time(NULL)) {
        (void)unlink(path);
    }
}

/* FILE.lock, made exclusively; false with errno after deliver_lock_attempts. */
static bool take_dotlock(const struct conf *conf, const char *path)
{
    int attempts = conf_int(conf, P_deliver_lock_attempts);
    int64_t pause = conf_time(conf, P_deliver_lock_delay);
    struct timespec delay = {.tv_sec = pause / CLOCK_SECOND,
                             .tv_nsec = pause % CLOCK_SECOND * 1000};
    for (int i = 0; i < attempts; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            fd_close(&fd);
            return true;
        }
        if (errno != EEXIST) {
            return false;
        }
        remove_if_stale(path, conf_time(conf, P_stale_lock_time));
        (void)nanosleep(&delay, NULL);
    }
    errno = EAGAIN;
    return false;
}

static int open_existing_or_new(const char *path, bool *created)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    *created = false;
    if (fd < 0 && errno == ENOENT) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        *created = fd >= 0;
    }
    return fd;
}

static enum outcome append_failed(struct err *err, const char *path, const char *why)
{
    bool temporary = errno == ENOSPC || errno == EAGAIN || errno == EIO ||
                     errno == EMFILE || errno == ENOMEM;
    if (temporary) {
        return err_temp(err, "4.2.0", "cannot append message to file %s: %s%m", path,
                        why);
    }
    return err_perm(err, errno == EDQUOT ? "5.2.2" : "5.2.0",
                    "cannot append message to file %s: %s%m", path, why);
}

/* What an attacker could have put there instead of a mailbox. */
static enum outcome check_target(int fd, const char *path,
                                 const struct identity *identity, bool is_mailbox,
                                 struct stat *st, struct err *err)
{
    if (fstat(fd, st) != 0) {
        return append_failed(err, path, "");
    }
    if (S_ISREG(st->st_mode) && st->st_nlink != 1) {
        return err_perm(err, "5.2.0",
                        "cannot append message to file %s: file has %lu links", path,
                        (unsigned long)st->st_nlink);
    }
    if (is_mailbox && (!S_ISREG(st->st_mode) || st->st_uid != identity->uid)) {
        return err_perm(err, "5.2.0",
                        "cannot update mailbox %s: not a regular file of the recipient",
                        path);
    }
    return OK;
}

static enum outcome append_locked(const struct node *node, int fd, const char *path,
                                  const struct stat *st, struct err *err)
{
    const struct conf *conf = node->tree->message->local->conf;
    const unsigned style = COPY_FROM_LINE | COPY_QUOTE | COPY_BLANK;
    int64_t limit = conf_long(conf, P_mailbox_size_limit);
    bool regular = S_ISREG(st->st_mode);
    off_t end = regular ? lseek(fd, 0, SEEK_END) : 0;
    if (regular && limit > 0 &&
        end + node->tree->message->request->content_size > limit) {
        return err_perm(
            err, "5.2.2",
            "cannot update mailbox %s for user %.*s. error writing message: "
            "File too large",
            path, VIEW_ARG(node->user));
    }
    if (!copy_message(node, fd, style) || (regular && fsync(fd) != 0)) {
        enum outcome outcome = append_failed(err, path, "");
        if (regular && ftruncate(fd, end) != 0) {
            log_warning("truncate %s after a failed delivery: %m", path);
        }
        return outcome;
    }
    return OK;
}

static enum outcome append_as_user(const struct node *node, const char *path,
                                   const struct identity *identity, bool is_mailbox,
                                   struct err *err)
{
    bool created = false;
    struct stat st;
    const struct conf *conf = node->tree->message->local->conf;
    struct locks locks = wanted_locks(conf);
    FD_AUTO int fd = open_existing_or_new(path, &created);
    if (fd < 0) {
        return append_failed(err, path,
                             errno == ENOENT ? "cannot create file exclusively: " : "");
    }
    enum outcome outcome = check_target(fd, path, identity, is_mailbox, &st, err);
    if (outcome != OK) {
        return outcome;
    }
    if (S_ISREG(st.st_mode) && ((locks.fcntl && !file_lock(fd, true)) ||
                                (locks.flock && flock(fd, LOCK_EX) != 0))) {
        return err_temp(err, "4.2.0", "lock %s: %m", path);
    }
    return append_locked(node, fd, path, &st, err);
}

enum outcome mbox_append(const struct node *node, const char *path,
                         const struct identity *identity, bool is_mailbox,
                         struct err *err)
{
    const struct local *local = node->tree->message->local;
    STR_AUTO struct str lock = {0};
    str_printf(&lock, "%s.lock", path);
    if (!identity_assume(local, identity)) {
        return err_temp(err, "4.3.5", "cannot act as uid %ld to deliver to %s: %m",
                        (long)identity->uid, path);
    }
    mode_t mask = umask(077);
    enum outcome outcome = OK;
    bool dot = wanted_locks(local->conf).dot;
    if (dot && !take_dotlock(local->conf, str_ptr(&lock))) {
        dot = false; /* ours to remove it is not */
        if (errno == EAGAIN) {
            outcome =
                err_temp(err, "4.2.0", "unable to lock for exclusive access: %s", path);
        } else {
            /* A directory that users cannot write: the other lock must do. */
            log_warning("unable to create lock file %s: %m", str_ptr(&lock));
        }
    }
    if (outcome == OK) {
        outcome = append_as_user(node, path, identity, is_mailbox, err);
    }
    if (dot) {
        (void)unlink(str_ptr(&lock));
    }
    (void)umask(mask);
    identity_restore(local);
    return outcome;
}
