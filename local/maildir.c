/* SPDX-License-Identifier: MIT */
/*
 * Maildir delivery: written and synced without a name, then linked into new/; where the
 * file system cannot do that, written in tmp/ and renamed into new/.  Readers see whole
 * messages only.  The name is time.V<device>I<inode>M<microseconds>.host:
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
#include "sys/unnamed.h"

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

static void final_name(const struct local *local, const char *maildir,
                       const struct stat *st, struct str *out)
{
    int64_t now = clock_wall();
    str_printf(out, "%snew/%lld.V%llxI%llxM%lld.%s", maildir,
               (long long)(now / CLOCK_SECOND), (unsigned long long)st->st_dev,
               (unsigned long long)st->st_ino, (long long)(now % CLOCK_SECOND),
               local->host);
}

/* A file that has been written, until it is synced and visible. */
struct maildir_file {
    struct maildir_file *next;
    struct node node;
    struct identity identity;
    const char *maildir;
    int fd;
    struct stat st;
    const char *temporary; /* its name in tmp/; NULL: it has none yet */
};

/* A batch may have several of them for each message; descriptors are not without end.
 */
enum { FILES_MOST = 64 };

/* False with errno, and the name that could not be made in FILE. */
static bool create_file(const struct local *local, struct arena *arena,
                        struct maildir_file *file)
{
    STR_AUTO struct str folder = {0};
    int64_t now = clock_wall();
    str_printf(&folder, "%snew", file->maildir);
    file->fd = unnamed_create(local->proc_fd, str_ptr(&folder), 0600);
    if (file->fd >= 0) {
        return true;
    }
    file->temporary = arena_printf(arena, "%stmp/%lld.P%ldQ%lld.%s", file->maildir,
                                   (long long)(now / CLOCK_SECOND), (long)getpid(),
                                   (long long)(now % CLOCK_SECOND), local->host);
    file->fd = create(file->maildir, file->temporary);
    return file->fd >= 0;
}

static enum outcome write_file(struct maildir_file *file, struct err *err)
{
    struct node *node = &file->node;
    const struct local_message *message = node->tree->message;
    const struct conf *conf = message->local->conf;
    unsigned style = copy_wants_delivered(conf, "file") ? COPY_DELIVERED : 0;
    if (!create_file(message->local, message->arena, file)) {
        return failed(err, arena_printf(message->arena, "create maildir file %s",
                                        file->temporary));
    }
    if (!copy_message(node, file->fd, style) || fstat(file->fd, &file->st) != 0 ||
        !file_fits(conf, file->st.st_size)) {
        return failed(err, "error writing message");
    }
    return OK;
}

/* The file gets its place in new/. */
static enum outcome publish(struct maildir_file *file, struct err *err)
{
    const struct local_message *message = file->node.tree->message;
    const struct local *local = message->local;
    STR_AUTO struct str final = {0};
    final_name(local, file->maildir, &file->st, &final);
    bool done = file->temporary != NULL
                    ? move(file->maildir, file->temporary, str_ptr(&final))
                    : unnamed_link(local->proc_fd, file->fd, str_ptr(&final));
    if (!done) {
        return failed(err, "rename to new");
    }
    if (!file_sync_directory(message, str_ptr(&final), file->st.st_dev)) {
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

static void give_up(struct maildir_file *file, enum outcome outcome,
                    const struct err *err)
{
    if (file->temporary != NULL && file->fd >= 0) {
        (void)unlink(file->temporary);
    }
    identity_settle(file->node.tree->message->local);
    if (err->code == EACCES) {
        give_advice(&file->identity, err);
    }
    tree_failed_err(&file->node, outcome, err);
}

static bool assume(const struct maildir_file *file, struct err *err)
{
    if (identity_assume(file->node.tree->message->local, &file->identity)) {
        return true;
    }
    (void)err_temp(err, "4.3.5", "cannot act as uid %ld to deliver to %s: %m",
                   (long)file->identity.uid, file->maildir);
    return false;
}

void maildir_deliver(struct node *node, const char *path,
                     const struct identity *identity)
{
    struct local *local = node->tree->message->local;
    struct arena *arena = node->tree->message->arena;
    struct err err;
    struct maildir_file *file = arena_alloc(arena, sizeof(*file));
    *file = (struct maildir_file){.node = *node,
                                  .identity = *identity,
                                  .maildir = arena_strdup(arena, path),
                                  .fd = -1};
    file->node.parent = NULL; /* it will not be there any more */
    enum outcome outcome = assume(file, &err) ? write_file(file, &err) : TEMPFAIL;
    if (outcome != OK) {
        give_up(file, outcome, &err);
        fd_close(&file->fd);
        return;
    }
    file->next = local->files;
    local->files = file;
    if (++local->file_count >= FILES_MOST) {
        maildir_finish(local);
    }
}

static void finish_file(struct maildir_file *file)
{
    struct err err = {0};
    enum outcome outcome =
        fsync(file->fd) == 0 ? OK : failed(&err, "error writing message");
    if (outcome == OK) {
        outcome = assume(file, &err) ? publish(file, &err) : TEMPFAIL;
    }
    if (outcome == OK) {
        tree_sent(&file->node, file->node.address, "delivered to maildir");
    } else {
        give_up(file, outcome, &err);
    }
    fd_close(&file->fd);
}

/* In the order in which they were written. */
static struct maildir_file *take_files(struct local *local)
{
    struct maildir_file *files = NULL;
    while (local->files != NULL) {
        struct maildir_file *file = local->files;
        local->files = file->next;
        file->next = files;
        files = file;
    }
    local->file_count = 0;
    return files;
}

void maildir_finish(struct local *local)
{
    if (local->files == NULL) {
        return;
    }
    bool several = local->file_count > 1;
    struct maildir_file *files = take_files(local);
    /* All data is on its way before the first sync waits for a commit, which then is
     * the commit of all. */
    for (struct maildir_file *file = files; several && file != NULL;
         file = file->next) {
        (void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    for (struct maildir_file *file = files; file != NULL; file = file->next) {
        finish_file(file);
    }
}
