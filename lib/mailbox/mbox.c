/* SPDX-License-Identifier: MIT */
/*
 * mbox delivery: lock (fcntl, flock, dotlock), append, sync; a failed append is cut off
 * again.
 *
 * In a spool directory that users cannot write, locks and new mailboxes are made with
 * root's rights; mail is written with the user's in any case.  Never through a symbolic
 * link that is not root's, never to a file with several names or of somebody else.
 */
#include "mailbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "mailbox/file.h"
#include "sys/clock.h"
#include "sys/file.h"

/* One append in progress. */
struct append {
    struct rights *rights;
    const struct letter *letter;
    const struct mbox *mbox;
    const struct conf *conf;
    const struct identity *acting; /* whose rights we have now */
    struct str dotlock;
    bool dotlocked;
    bool created;
    int fd;
    struct stat st;
    struct err *err;
};

struct mbox_locks mbox_locks_read(const char *parameter, const char *list)
{
    struct mbox_locks locks = {0};
    struct view rest = view_cstr(list);
    struct view word;
    while (conf_list_next(&rest, &word)) {
        if (view_equal_cstr(word, "fcntl")) {
            locks.fcntl = true;
        } else if (view_equal_cstr(word, "flock")) {
            locks.flock = true;
        } else if (view_equal_cstr(word, "dotlock")) {
            locks.dot = true;
        } else {
            log_fatal("%s: unknown lock type \"%.*s\"", parameter, VIEW_ARG(word));
        }
    }
    return locks;
}

/* --- errors ---------------------------------------------------------------------- */

static enum outcome refuse(struct append *append, enum outcome outcome, const char *dsn,
                           const char *reason)
{
    return outcome == TEMPFAIL ? err_temp(append->err, dsn, "%s", reason)
                               : err_perm(append->err, dsn, "%s", reason);
}

/* "WHAT: text of errno". */
static enum outcome failed(struct append *append, const char *what)
{
    const char *dsn = "";
    STR_AUTO struct str reason = {0};
    enum outcome outcome = mailbox_error(errno, &dsn);
    str_printf(&reason, "%s: %m", what);
    return refuse(append, outcome, dsn, str_ptr(&reason));
}

/* --- rights ---------------------------------------------------------------------- */

/* From here on with the rights of WHO; going on with other rights is no choice. */
static bool become(struct append *append, const struct identity *who)
{
    const struct identity *acting = append->acting;
    if (acting != NULL && acting->uid == who->uid && acting->gid == who->gid) {
        return true;
    }
    append->acting = NULL;
    if (!rights_assume(append->rights, who)) {
        return false;
    }
    append->acting = who;
    return true;
}

/* --- dotlock --------------------------------------------------------------------- */

static void pause_between_attempts(const struct conf *conf)
{
    int64_t pause = conf_time(conf, P_deliver_lock_delay);
    struct timespec delay = {.tv_sec = pause / CLOCK_SECOND,
                             .tv_nsec = pause % CLOCK_SECOND * 1000};
    (void)nanosleep(&delay, NULL);
}

static void remove_if_stale(const struct conf *conf, const char *path)
{
    struct stat st;
    int64_t limit = conf_time(conf, P_stale_lock_time) / CLOCK_SECOND;
    if (lstat(path, &st) == 0 && st.st_mtime + limit < time(NULL)) {
        (void)unlink(path);
    }
}

/* FILE.lock, made exclusively; false with errno after deliver_lock_attempts. */
static bool take_dotlock(const struct conf *conf, const char *path)
{
    int attempts = conf_int(conf, P_deliver_lock_attempts);
    for (int i = 0; i < attempts; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            fd_close(&fd);
            return true;
        }
        if (errno != EEXIST) {
            return false;
        }
        remove_if_stale(conf, path);
        if (i + 1 < attempts) {
            pause_between_attempts(conf);
        }
    }
    errno = EEXIST;
    return false;
}

/* Devices and the like need no lock file beside them. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static enum outcome lock_by_file(struct append *append)
{
    const struct mbox *mbox = append->mbox;
    if (!mbox->locks.dot || is_special(mbox->path)) {
        return OK;
    }
    str_printf(&append->dotlock, "%s.lock", mbox->path);
    append->dotlocked = take_dotlock(append->conf, str_ptr(&append->dotlock));
    if (append->dotlocked) {
        return OK;
    }
    STR_AUTO struct str what = {0};
    str_printf(&what, "unable to create lock file %s", str_ptr(&append->dotlock));
    if (mbox->is_mailbox || errno == EEXIST) {
        return failed(append, str_ptr(&what));
    }
    /* A file in a directory that its owner cannot write: the other lock must do. */
    log_warning("%s: %m", str_ptr(&what));
    return OK;
}

/* --- the file -------------------------------------------------------------------- */

static int open_existing(const struct mbox *mbox)
{
    return open(mbox->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
}

/* By the spooler, for the user. */
static bool create_file(struct append *append)
{
    const struct mbox *mbox = append->mbox;
    const struct identity *user = mbox->user;
    append->fd =
        open(mbox->path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (append->fd < 0) {
        return false;
    }
    append->created = true;
    return mbox->spooler->uid == user->uid ||
           fchown(append->fd, user->uid, (gid_t)-1) == 0;
}

static enum outcome open_file(struct append *append)
{
    const struct mbox *mbox = append->mbox;
    if (!become(append, mbox->user)) {
        return failed(append, "cannot act as the recipient");
    }
    append->fd = open_existing(mbox);
    if (append->fd >= 0 || errno != ENOENT) {
        return append->fd >= 0 ? OK : failed(append, "cannot open file");
    }
    if (!become(append, mbox->spooler)) {
        return failed(append, "cannot act as the recipient");
    }
    if (create_file(append)) {
        return OK;
    }
    if (errno == EEXIST) { /* a link to nowhere, which is not followed */
        errno = ENOENT;
        return failed(append, "cannot open file");
    }
    return failed(append, "cannot create file exclusively");
}

/* A link that root has made, and that nobody else could have put there. */
static bool is_trusted_link(const char *path, const struct stat *link)
{
    struct stat st;
    STR_AUTO struct str directory = {0};
    mailbox_directory(path, &directory);
    return link->st_uid == 0 && stat(str_ptr(&directory), &st) == 0 && st.st_uid == 0 &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* What an attacker could have put there instead of a mailbox. */
static enum outcome check_file(struct append *append)
{
    const struct mbox *mbox = append->mbox;
    struct stat link;
    STR_AUTO struct str reason = {0};
    if (fstat(append->fd, &append->st) != 0) {
        return failed(append, "cannot open file");
    }
    const struct stat *st = &append->st;
    if (lstat(mbox->path, &link) == 0 && S_ISLNK(link.st_mode) &&
        !is_trusted_link(mbox->path, &link)) {
        return refuse(append, PERMFAIL, "5.2.0", "file is a symbolic link");
    }
    if (S_ISREG(st->st_mode) && st->st_nlink != 1) {
        str_printf(&reason, "file has %lu hard links", (unsigned long)st->st_nlink);
        return refuse(append, PERMFAIL, "5.2.0", str_ptr(&reason));
    }
    if (mbox->regular && !S_ISREG(st->st_mode)) {
        return refuse(append, PERMFAIL, "5.3.5", "not a regular file");
    }
    if (mbox->is_mailbox && st->st_uid != mbox->user->uid &&
        conf_bool(append->conf, P_strict_mailbox_ownership)) {
        log_warning("specify \"strict_mailbox_ownership = no\" to ignore mailbox "
                    "ownership mismatch");
        str_printf(&reason, "destination %s is not owned by recipient", mbox->path);
        return refuse(append, TEMPFAIL, "4.2.0", str_ptr(&reason));
    }
    return OK;
}

static bool lock_file(const struct append *append)
{
    if (append->mbox->locks.fcntl && !file_lock(append->fd, false)) {
        return false;
    }
    return !append->mbox->locks.flock || flock(append->fd, LOCK_EX | LOCK_NB) == 0;
}

static enum outcome lock_by_kernel(struct append *append)
{
    int attempts = conf_int(append->conf, P_deliver_lock_attempts);
    if (!S_ISREG(append->st.st_mode)) {
        return OK;
    }
    for (int i = 0; i < attempts; i++) {
        if (lock_file(append)) {
            return OK;
        }
        if (errno != EAGAIN) {
            break;
        }
        if (i + 1 < attempts) {
            pause_between_attempts(append->conf);
            errno = EAGAIN;
        }
    }
    return failed(append, "unable to lock for exclusive access");
}

/* --- the message ----------------------------------------------------------------- */

/* Headers and quoting count too, but most of what does not fit need not be written to
 * know it. */
static bool append_message(const struct append *append, off_t end)
{
    const struct mbox *mbox = append->mbox;
    const struct letter *letter = append->letter;
    unsigned style =
        LETTER_FROM_LINE | LETTER_QUOTE | LETTER_BLANK | append->mbox->delivered;
    if (!S_ISREG(append->st.st_mode)) {
        return letter_write(letter, append->fd, style);
    }
    return mailbox_fits(mbox->size_limit, end + letter->request->content_size) &&
           letter_write(letter, append->fd, style) &&
           mailbox_fits(mbox->size_limit, lseek(append->fd, 0, SEEK_END)) &&
           fsync(append->fd) == 0;
}

static enum outcome write_message(struct append *append)
{
    bool regular = S_ISREG(append->st.st_mode);
    off_t end = regular ? lseek(append->fd, 0, SEEK_END) : 0;
    if (!become(append, append->mbox->user)) {
        return failed(append, "cannot act as the recipient");
    }
    if (!append_message(append, end)) {
        enum outcome outcome = failed(append, "error writing message");
        if (regular && ftruncate(append->fd, end) != 0) {
            log_warning("truncate %s after a failed delivery: %m", append->mbox->path);
        }
        return outcome;
    }
    if (append->created && !mailbox_sync_directory(append->letter, append->mbox->path,
                                                   append->st.st_dev)) {
        return failed(append, "sync directory");
    }
    return OK;
}

static enum outcome append_locked(struct append *append)
{
    enum outcome outcome = open_file(append);
    outcome = outcome == OK ? check_file(append) : outcome;
    outcome = outcome == OK ? lock_by_kernel(append) : outcome;
    outcome = outcome == OK ? write_message(append) : outcome;
    fd_close(&append->fd);
    return outcome;
}

static void unlock_by_file(struct append *append)
{
    if (append->dotlocked && become(append, append->mbox->spooler)) {
        (void)unlink(str_ptr(&append->dotlock));
    }
    str_done(&append->dotlock);
}

enum outcome mbox_append(struct rights *rights, const struct conf *conf,
                         const struct letter *letter, const struct mbox *mbox,
                         struct err *err)
{
    struct append append = {.rights = rights,
                            .letter = letter,
                            .mbox = mbox,
                            .conf = conf,
                            .fd = -1,
                            .err = err};
    if (!become(&append, mbox->spooler)) {
        return err_temp(err, "4.3.5", "cannot act as uid %ld: %m",
                        (long)mbox->spooler->uid);
    }
    enum outcome outcome = lock_by_file(&append);
    if (outcome == OK) {
        outcome = append_locked(&append);
    }
    unlock_by_file(&append);
    rights_restore(rights);
    return outcome;
}
