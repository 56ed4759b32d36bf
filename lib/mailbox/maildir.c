/* SPDX-License-Identifier: MIT */
/*
 * Maildir delivery: written and synced without a name, then linked into new/; where the
 * file system cannot do that, written in tmp/ and renamed into new/.  Readers see whole
 * messages only.  The name is time.V<device>I<inode>M<microseconds>.host:
 * unique because of the inode, sorted by arrival.
 */
#include "mailbox/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mailbox/file.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/unnamed.h"

static enum outcome failed(struct err *err, const char *what)
{
    const char *dsn = "";
    if (mailbox_error(errno, &dsn) == TEMPFAIL) {
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

static void final_name(const struct maildirs *maildirs, const char *maildir,
                       const struct stat *st, struct str *out)
{
    int64_t now = clock_wall();
    str_printf(out, "%snew/%lld.V%llxI%llxM%lld.%s", maildir,
               (long long)(now / CLOCK_SECOND), (unsigned long long)st->st_dev,
               (unsigned long long)st->st_ino, (long long)(now % CLOCK_SECOND),
               maildirs->host);
}

/* A file that has been written, until it is synced and visible. */
struct maildir_file {
    struct maildir_file *next;
    struct letter letter;
    struct maildir maildir;
    int fd;
    struct stat st;
    const char *temporary; /* its name in tmp/; NULL: it has none yet */
};

/* A batch may have several of them for each message; descriptors are not without end.
 */
enum { FILES_MOST = 64 };

/* False with errno, and the name that could not be made in FILE. */
static bool create_file(const struct maildirs *maildirs, struct arena *arena,
                        struct maildir_file *file)
{
    const char *path = file->maildir.path;
    STR_AUTO struct str folder = {0};
    int64_t now = clock_wall();
    str_printf(&folder, "%snew", path);
    file->fd = unnamed_create(maildirs->proc_fd, str_ptr(&folder), 0600);
    if (file->fd >= 0) {
        return true;
    }
    file->temporary = arena_printf(arena, "%stmp/%lld.P%ldQ%lld.%s", path,
                                   (long long)(now / CLOCK_SECOND), (long)getpid(),
                                   (long long)(now % CLOCK_SECOND), maildirs->host);
    file->fd = create(path, file->temporary);
    return file->fd >= 0;
}

static enum outcome create_failed(const char *path, struct err *err)
{
    STR_AUTO struct str what = {0};
    str_printf(&what, "create maildir file %s", path);
    return failed(err, str_ptr(&what));
}

static enum outcome write_file(const struct maildirs *maildirs, struct arena *arena,
                               struct maildir_file *file, struct err *err)
{
    if (!create_file(maildirs, arena, file)) {
        return create_failed(file->temporary, err);
    }
    if (!letter_write(&file->letter, file->fd, file->maildir.delivered) ||
        fstat(file->fd, &file->st) != 0 ||
        !mailbox_fits(file->maildir.size_limit, file->st.st_size)) {
        return failed(err, "error writing message");
    }
    return OK;
}

/* The file gets its place in new/. */
static enum outcome publish(const struct maildirs *maildirs,
                            const struct maildir_file *file, struct err *err)
{
    const char *path = file->maildir.path;
    STR_AUTO struct str final = {0};
    final_name(maildirs, path, &file->st, &final);
    bool done = file->temporary != NULL
                    ? move(path, file->temporary, str_ptr(&final))
                    : unnamed_link(maildirs->proc_fd, file->fd, str_ptr(&final));
    if (!done) {
        return create_failed(str_ptr(&final), err);
    }
    if (!mailbox_sync_directory(&file->letter, str_ptr(&final), file->st.st_dev)) {
        return failed(err, "sync directory new");
    }
    return OK;
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

/* The end of FILE, good or bad. */
static void conclude(struct maildirs *maildirs, struct maildir_file *file,
                     enum outcome outcome, const struct err *err)
{
    if (outcome != OK && file->temporary != NULL && file->fd >= 0) {
        (void)unlink(file->temporary);
    }
    fd_close(&file->fd);
    if (outcome != OK) {
        rights_settle(maildirs->rights);
        if (err->code == EACCES) {
            give_advice(&file->maildir.user, err);
        }
    }
    file->maildir.done(file->maildir.context, outcome, err);
}

static bool assume(struct maildirs *maildirs, const struct maildir *maildir,
                   struct err *err)
{
    if (rights_assume(maildirs->rights, &maildir->user)) {
        return true;
    }
    (void)err_temp(err, "4.3.5", "cannot act as uid %ld to deliver to %s: %m",
                   (long)maildir->user.uid, maildir->path);
    return false;
}

void maildirs_write(struct maildirs *maildirs, const struct letter *letter,
                    const struct maildir *maildir, struct arena *arena)
{
    struct err err = {0};
    struct maildir_file *file = arena_alloc(arena, sizeof(*file));
    *file = (struct maildir_file){.letter = *letter, .maildir = *maildir, .fd = -1};
    file->maildir.path = arena_strdup(arena, maildir->path);
    enum outcome outcome = assume(maildirs, maildir, &err)
                               ? write_file(maildirs, arena, file, &err)
                               : TEMPFAIL;
    if (outcome != OK) {
        conclude(maildirs, file, outcome, &err);
        return;
    }
    file->next = maildirs->files;
    maildirs->files = file;
    if (++maildirs->count >= FILES_MOST) {
        maildirs_finish(maildirs);
    }
}

static void finish_file(struct maildirs *maildirs, struct maildir_file *file)
{
    struct err err = {0};
    enum outcome outcome =
        fsync(file->fd) == 0 ? OK : failed(&err, "error writing message");
    if (outcome == OK) {
        outcome = assume(maildirs, &file->maildir, &err) ? publish(maildirs, file, &err)
                                                         : TEMPFAIL;
    }
    conclude(maildirs, file, outcome, &err);
}

/* In the order in which they were written. */
static struct maildir_file *take_files(struct maildirs *maildirs)
{
    struct maildir_file *files = NULL;
    while (maildirs->files != NULL) {
        struct maildir_file *file = maildirs->files;
        maildirs->files = file->next;
        file->next = files;
        files = file;
    }
    maildirs->count = 0;
    return files;
}

void maildirs_finish(struct maildirs *maildirs)
{
    if (maildirs->files == NULL) {
        return;
    }
    bool several = maildirs->count > 1;
    struct maildir_file *files = take_files(maildirs);
    /* All data is on its way before the first sync waits for a commit, which then is
     * the commit of all. */
    for (struct maildir_file *file = files; several && file != NULL;
         file = file->next) {
        (void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    while (files != NULL) {
        struct maildir_file *file = files;
        files = file->next;
        finish_file(maildirs, file);
    }
}

/* --- life ------------------------------------------------------------------------ */

/* The name of this machine without what cannot stand in a file name. */
static char *host_name(void)
{
    enum { HOST_MAX_BYTES = 256 };
    char host[HOST_MAX_BYTES] = "";
    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0') {
        return xstrdup("localhost");
    }
    for (char *p = host; *p != '\0'; p++) {
        *p = *p == '/' || *p == ':' ? '_' : *p;
    }
    return xstrdup(host);
}

void maildirs_init(struct maildirs *maildirs, struct rights *rights)
{
    *maildirs = (struct maildirs){
        .rights = rights, .host = host_name(), .proc_fd = unnamed_open_proc()};
}

void maildirs_done(struct maildirs *maildirs)
{
    CHECK(maildirs->files == NULL);
    fd_close(&maildirs->proc_fd);
    free(maildirs->host);
    maildirs->host = NULL;
}
