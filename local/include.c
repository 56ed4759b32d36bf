/* SPDX-License-Identifier: MIT */
/*
 * :include:/file/name: a list in a file, read with the rights of whoever wrote the list
 * that names it.  A file that anybody could have written is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "local/local.h"
#include "sys/file.h"

enum { INCLUDE_MAX_BYTES = 16 * 1024 * 1024 };

/* The administrator's mistake, which does not go away by itself. */
static void misconfigured(struct node *node)
{
    tree_failed(node, PERMFAIL, "5.3.5", "mail system configuration error");
}

static bool is_lasting(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP ||
           error == ENAMETOOLONG;
}

static int open_include(struct node *node, const char *path)
{
    struct local *local = node->tree->message->local;
    if (!rights_assume(&local->rights, &node->reader)) {
        return -1;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    rights_restore(&local->rights);
    return fd;
}

static bool is_trusted(const char *path, const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) {
        log_warning(":include: file %s is not a regular file", path);
        return false;
    }
    if ((st->st_mode & S_IWOTH) != 0) {
        log_warning(":include: file %s is world writable", path);
        return false;
    }
    return true;
}

static bool read_whole(int fd, const struct stat *st, struct str *text)
{
    if (st->st_size > INCLUDE_MAX_BYTES) {
        errno = EFBIG;
        return false;
    }
    char *room = str_reserve(text, (size_t)st->st_size);
    ssize_t n = file_pread_all(fd, room, (size_t)st->st_size, 0);
    if (n >= 0) {
        str_commit(text, (size_t)n);
    }
    return n >= 0;
}

/* False: the failure has been reported. */
static bool read_include(struct node *node, const char *path, struct str *text,
                         struct stat *st)
{
    FD_AUTO int fd = open_include(node, path);
    if (fd < 0 || fstat(fd, st) != 0) {
        log_warning("unable to lookup :include: file %s: %m", path);
        if (is_lasting(errno)) {
            misconfigured(node);
        } else {
            tree_failed(node, TEMPFAIL, "4.3.0", "unable to open :include: file");
        }
        return false;
    }
    if (!is_trusted(path, st)) {
        misconfigured(node);
        return false;
    }
    if (!read_whole(fd, st, text)) {
        log_warning("unable to read :include: file %s: %m", path);
        tree_failed(node, TEMPFAIL, "4.3.0", "unable to read :include: file");
        return false;
    }
    return true;
}

/* The members have the rights of the file's owner, not of the list above; only what a
 * user's .forward names stays that user's business, whosever file it is. */
static void expand_members(struct node *node, struct view text, uid_t owner)
{
    struct local *local = node->tree->message->local;
    const struct node saved = *node;
    node->depth++;
    if (!node->forwarding) {
        node->has_identity = identity_of_list_owner(local, owner, &node->identity);
        node->reader = identity_of_reader(local, owner);
    }
    (void)expand_lines(node, text, FROM_INCLUDE);
    node->depth = saved.depth;
    node->has_identity = saved.has_identity;
    node->identity = saved.identity;
    node->reader = saved.reader;
}

void include_deliver(struct node *node, struct view path)
{
    struct arena *arena = node->tree->message->arena;
    const char *name = arena_cstr(arena, path);
    STR_AUTO struct str text = {0};
    struct stat st;
    if (name[0] != '/') {
        log_warning(":include:%s uses a relative path", name);
        misconfigured(node);
    } else if (node->depth >= LOCAL_MAX_DEPTH) {
        log_warning(":include: file %s includes itself", name);
        misconfigured(node);
    } else if (!tree_seen(node->tree, "include", node->reader.uid, path) &&
               read_include(node, name, &text, &st)) {
        expand_members(node, arena_view(arena, str_view(&text)), st.st_uid);
    }
}
