/* SPDX-License-Identifier: MIT */
/*
 * .forward files (forward_path), read with the user's rights.  The first one that is
 * there decides: if others could have written it, it is ignored with a warning; if it
 * names nobody, it does nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "local/local.h"
#include "sys/file.h"

enum { FORWARD_MAX_BYTES = 1024 * 1024 };

enum forward_result { FORWARD_READ, FORWARD_MISSING, FORWARD_IGNORED, FORWARD_ERROR };

static bool is_trusted(const char *path, const struct stat *st, uid_t user)
{
    if (!S_ISREG(st->st_mode)) {
        log_warning("file %s is not a regular file", path);
        return false;
    }
    if (st->st_uid != 0 && st->st_uid != user) {
        log_warning("file %s has bad owner uid %ld", path, (long)st->st_uid);
        return false;
    }
    if ((st->st_mode & S_IWOTH) != 0) {
        log_warning("file %s is world writable", path);
        return false;
    }
    if (st->st_size > FORWARD_MAX_BYTES) {
        log_warning("file %s is larger than %d bytes", path, FORWARD_MAX_BYTES);
        return false;
    }
    return true;
}

/* A home directory that is not there, or closed to its owner, has no .forward; what is
 * only out of reach now (a file server) may have one. */
static bool is_missing(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP ||
           error == ENAMETOOLONG;
}

static enum forward_result read_open_file(int fd, const char *path, uid_t user,
                                          struct str *text)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return FORWARD_ERROR;
    }
    if (!is_trusted(path, &st, user)) {
        return FORWARD_IGNORED;
    }
    char *room = str_reserve(text, (size_t)st.st_size);
    ssize_t n = file_pread_all(fd, room, (size_t)st.st_size, 0);
    if (n < 0) {
        return FORWARD_ERROR;
    }
    str_commit(text, (size_t)n);
    return FORWARD_READ;
}

static enum forward_result read_forward(const struct node *node, const char *path,
                                        struct str *text)
{
    struct local *local = node->tree->message->local;
    if (!rights_assume(&local->rights, &node->identity)) {
        return FORWARD_MISSING; /* the mailbox has the same trouble, and tells */
    }
    FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && is_missing(errno)) {
        return FORWARD_MISSING; /* the mailbox, most likely, is written as the user */
    }
    rights_restore(&local->rights);
    if (fd < 0) {
        return FORWARD_ERROR;
    }
    return read_open_file(fd, path, node->account->pw_uid, text);
}

/* An extension must not lead out of the directory that forward_path names. */
static bool is_legal_extension(const struct node *node)
{
    return view_index(node->extension, '/') == node->extension.len;
}

static void expand_forward(struct node *node, const char *path, struct view text,
                           bool matched_extension)
{
    if (!matched_extension && node->extension.len > 0) {
        node->unmatched = view_of(node->extension.ptr - 1, node->extension.len + 1);
    }
    log_debug("expand %s", path);
    node->forwarding = true;
    node->has_identity =
        identity_drop_root(node->tree->message->local, &node->identity);
    (void)expand_lines(node, arena_view(node->tree->message->arena, text),
                       FROM_FORWARD);
    node->forwarding = false;
}

static bool has_members(struct view text)
{
    struct view line;
    while (view_next_word(&text, "\n", &line)) {
        struct view word = view_trim(line);
        if (word.len > 0 && line.ptr[0] != '#') {
            return true;
        }
    }
    return false;
}

/* What to do with the file at PATH; true: it took the node over. */
static bool use_file(struct node *node, const char *path, bool matched_extension,
                     enum forward_result *result)
{
    STR_AUTO struct str text = {0};
    *result = read_forward(node, path, &text);
    if (*result == FORWARD_ERROR) {
        tree_failed(node, TEMPFAIL, "4.3.0", "cannot read %s: %s", path,
                    strerror(errno));
        return true;
    }
    if (*result != FORWARD_READ || !has_members(str_view(&text))) {
        return false;
    }
    if (!tree_seen(node->tree, "forward", node->identity.uid, view_cstr(path))) {
        expand_forward(node, path, str_view(&text), matched_extension);
    }
    return true;
}

/* The next path of *REST that differs from LAST; false: no more. */
static bool next_path(const struct node *node, struct view *rest, const char **last,
                      bool *used_extension)
{
    const struct conf *conf = node->tree->message->local->conf;
    struct arena *arena = node->tree->message->arena;
    struct view word;
    struct err err;
    while (conf_list_next(rest, &word)) {
        STR_AUTO struct str path = {0};
        if (names_expand(node, arena_cstr(arena, word),
                         conf_raw(conf, P_forward_expansion_filter), &path,
                         used_extension, &err) != OK) {
            log_warning("forward_path: %s", err.text);
            continue;
        }
        if (*used_extension && !is_legal_extension(node)) {
            log_warning("%.*s: address with illegal extension: %.*s",
                        VIEW_ARG(node->tree->message->request->queue_id),
                        VIEW_ARG(node->local_part));
            continue;
        }
        /* Without an extension both names of the default are the same. */
        if (strcmp(str_ptr(&path), *last) != 0) {
            *last = arena_strdup(arena, str_ptr(&path));
            return true;
        }
    }
    return false;
}

bool forward_deliver(struct node *node)
{
    const struct conf *conf = node->tree->message->local->conf;
    struct view rest = view_cstr(conf_raw(conf, P_forward_path));
    const char *path = "";
    bool used_extension = false;
    while (next_path(node, &rest, &path, &used_extension)) {
        enum forward_result result;
        if (use_file(node, path, used_extension, &result)) {
            return true;
        }
        if (result != FORWARD_MISSING) {
            return false;
        }
    }
    return false;
}
