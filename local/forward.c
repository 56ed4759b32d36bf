/* SPDX-License-Identifier: MIT */
/*
 * .forward files (forward_path), read with the user's rights.  A file that others
 * could have written is ignored with a warning; an empty one does nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "local/local.h"
#include "sys/file.h"

enum { FORWARD_MAX_BYTES = 1024 * 1024 };

struct names {
    const struct node *node;
    const struct passwd *user;
};

static const char *lookup(void *context, const char *name)
{
    const struct names *names = context;
    const struct node *node = names->node;
    struct arena *arena = node->tree->message->arena;
    if (strcmp(name, "home") == 0) {
        return names->user->pw_dir;
    }
    if (strcmp(name, "user") == 0) {
        return names->user->pw_name;
    }
    if (strcmp(name, "shell") == 0) {
        return names->user->pw_shell;
    }
    if (strcmp(name, "extension") == 0) {
        return node->extension.len > 0 ? arena_cstr(arena, node->extension) : NULL;
    }
    if (strcmp(name, "recipient_delimiter") == 0) {
        return node->extension.len > 0
                   ? arena_cstr(arena, view_of(node->extension.ptr - 1, 1))
                   : NULL;
    }
    if (strcmp(name, "local") == 0) {
        return arena_cstr(arena, node->local_part);
    }
    if (strcmp(name, "domain") == 0) {
        return arena_cstr(arena, node->domain);
    }
    if (strcmp(name, "recipient") == 0) {
        return arena_cstr(arena, node->address);
    }
    return NULL;
}

/* Open as the user and look who could have written it. */
static bool read_forward(const struct node *node, const char *path, uid_t owner,
                         struct str *text, struct err *err)
{
    struct stat st;
    if (!identity_assume(node->tree->message->local, &node->identity)) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    identity_restore(node->tree->message->local);
    if (fd < 0) {
        return false;
    }
    bool good = false;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        log_warning("file %s is not a regular file", path);
    } else if (st.st_uid != 0 && st.st_uid != owner) {
        log_warning("file %s has bad owner uid %ld", path, (long)st.st_uid);
    } else if ((st.st_mode & S_IWOTH) != 0) {
        log_warning("file %s is world writable", path);
    } else {
        good = st.st_size <= FORWARD_MAX_BYTES;
        char *room = good ? str_reserve(text, (size_t)st.st_size) : NULL;
        ssize_t n = room != NULL ? file_pread_all(fd, room, (size_t)st.st_size, 0) : -1;
        if (n < 0) {
            (void)err_temp(err, "4.3.0", "read %s: %m", path);
            good = false;
        } else {
            str_commit(text, (size_t)n);
        }
    }
    fd_close(&fd);
    return good;
}

static bool has_members(struct view text)
{
    struct view line;
    while (view_next_word(&text, "\n", &line)) {
        struct view word = view_trim(line);
        if (word.len > 0 && word.ptr[0] != '#') {
            return true;
        }
    }
    return false;
}

/* "~/copy" names a file in the home directory. */
static struct view expand_tilde(struct arena *arena, struct view text, const char *home)
{
    STR_AUTO struct str out = {0};
    for (size_t i = 0; i < text.len; i++) {
        bool start = i == 0 || memchr("\n, \t\"", text.ptr[i - 1], 5) != NULL;
        if (start && text.ptr[i] == '~' && i + 1 < text.len && text.ptr[i + 1] == '/') {
            str_add_cstr(&out, home);
        } else {
            str_add_byte(&out, text.ptr[i]);
        }
    }
    return arena_view(arena, str_view(&out));
}

/* Is USER's .forward being expanded further up?  Then this is the mailbox's turn. */
static bool used_above(const struct node *node, const struct passwd *user)
{
    for (const struct node *above = node->parent; above != NULL;
         above = above->parent) {
        if (above->forwarded && above->identity.uid == user->pw_uid) {
            return true;
        }
    }
    return false;
}

bool forward_deliver(struct node *node, const struct passwd *user)
{
    struct local_message *message = node->tree->message;
    struct names names = {node, user};
    STR_AUTO struct str text = {0};
    struct err err;
    struct view rest = view_cstr(conf_raw(message->local->conf, P_forward_path));
    struct view word;
    const char *last = "";
    if (used_above(node, user)) {
        return false;
    }
    while (conf_list_next(&rest, &word)) {
        STR_AUTO struct str path = {0};
        str_clear(&text);
        if (conf_expand_with(arena_cstr(message->arena, word), lookup, &names, &path,
                             &err) != OK) {
            log_warning("forward_path: %s", err.text);
            continue;
        }
        /* Without an extension both names of the default are the same. */
        if (strcmp(str_ptr(&path), last) == 0) {
            continue;
        }
        last = arena_cstr(message->arena, str_view(&path));
        if (read_forward(node, last, user->pw_uid, &text, &err)) {
            if (!has_members(str_view(&text))) {
                return false;
            }
            node->forwarded = true;
            expand_list(node,
                        expand_tilde(message->arena, str_view(&text), user->pw_dir),
                        FROM_FORWARD);
            return true;
        }
    }
    return false;
}
